// The playground. What is pasted reaches the page as text nodes only (textContent): nothing in it can run.
"use strict";

const PAUSE_MS = 250; // of typing, before it is asked; the slider does not wait

const part = (id) => document.getElementById(id);
const way = () => document.querySelector("input[name=way]:checked").value;
const whole = new Intl.NumberFormat("en");
const usd = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 3 });

const SLIDERS = {
  rate: { name: "Rate: tokens kept of the prose", min: 0.05, max: 1, usual: 0.5 },
  threshold: { name: "Threshold: words kept that score at least", min: 0, max: 1, usual: 0.5 },
};
const SKIPS = {
  short: "shorter than the policy's min_tokens",
  structured: "mostly code, JSON or tables",
  no_gain: "there is nothing to gain",
};

// One question at a time: while one is under way, only the latest of those that follow is kept.
let isAsking = false;
let isStale = false;
let typing = 0;

function ask() {
  window.clearTimeout(typing);
  if (!part("input").value.trim()) {
    part("outcome").hidden = true;
    say("Nothing pasted yet.");
    return;
  }
  if (isAsking) {
    isStale = true;
    return;
  }
  isAsking = true;
  const late = window.setTimeout(() => say("Scoring…"), PAUSE_MS);
  fetchAnswer()
    .then(show, (error) => say(error.message, true))
    .finally(() => {
      window.clearTimeout(late);
      isAsking = false;
      if (isStale) {
        isStale = false;
        ask();
      }
    });
}

async function fetchAnswer() {
  const question = {
    input: part("input").value,
    model: part("model").value.trim() || null,
    policy: part("policy").value,
    scorer: part("scorer").value,
    [way()]: Number(part("amount").value),
  };
  let answer;
  try {
    answer = await fetch("/v1/explain", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(question),
    });
  } catch {
    throw new Error("Pith does not answer. Is it still running?");
  }
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error.message);
  return said;
}

function say(message, isTrouble = false) {
  const state = part("state");
  state.hidden = !message;
  state.textContent = message;
  state.classList.toggle("trouble", isTrouble);
}

function show(said) {
  if (!part("input").value.trim()) return;
  say("");
  part("outcome").hidden = false;
  const removed = said.origin_tokens - said.compressed_tokens;
  part("tokens").textContent = `${whole.format(said.origin_tokens)} → ${whole.format(said.compressed_tokens)}`;
  part("tokens-note").textContent = `${said.tokenizer}${said.is_exact ? "" : ", near the model's own"}`;
  part("removed").textContent = said.origin_tokens ? `${((100 * removed) / said.origin_tokens).toFixed(1)} %` : "–";
  part("money").textContent = said.saved_usd === null ? "–" : usd.format(said.saved_usd);
  part("money-note").textContent =
    said.saved_usd === null ? "no known price for this model" : "at the price of fresh input, before any cache";
  part("fingerprint").textContent = said.scorer;
  part("yaml").textContent = said.yaml;
  part("copied").textContent = "";
  showFates(said.texts);
  showTexts(said.texts);
}

function showFates(texts) {
  for (const fate of ["kept", "dropped", "forced", "protected"]) {
    const sum = (what) => texts.reduce((total, text) => total + (text.fates[fate]?.[what] ?? 0), 0);
    part(`n-${fate}`).textContent = `${whole.format(sum("words"))} words, ${whole.format(sum("tokens"))} tokens:`;
  }
}

function showTexts(texts) {
  const place = part("texts");
  while (place.children.length > texts.length) place.lastElementChild.remove();
  texts.forEach((text, at) => showText(place.children[at] ?? place.appendChild(newArticle(at)), text));
}

function newArticle(at) {
  const article = document.createElement("article");
  article.className = "card";
  const heading = article.appendChild(document.createElement("h2"));
  heading.id = `text-${at}`;
  const words = article.appendChild(document.createElement("div"));
  words.className = "words";
  words.tabIndex = 0;
  words.setAttribute("role", "region");
  words.setAttribute("aria-labelledby", heading.id);
  const details = article.appendChild(document.createElement("details"));
  details.appendChild(document.createElement("summary")).textContent = "As it goes on";
  details.appendChild(document.createElement("pre")).tabIndex = 0;
  return article;
}

function showText(article, text) {
  const counts = `${whole.format(text.origin_tokens)} → ${whole.format(text.compressed_tokens)} tokens`;
  article.querySelector("h2").textContent = `${text.role} · ${counts}${whyWhole(text)}`;
  article.querySelector("pre").textContent = text.text;
  const words = article.querySelector(".words");
  const spans = words.children;
  const isSame = spans.length === text.pieces.length && text.pieces.every(([piece], n) => spans[n].textContent === piece);
  if (!isSame) words.replaceChildren(...text.pieces.map(newWord));
  // The same words keep their elements, so that a change of class fades.
  else text.pieces.forEach(([, fate], n) => spans[n].classList.contains(fate) || (spans[n].className = `w ${fate}`));
}

function whyWhole(text) {
  if (!text.is_covered) return " · left whole: the policy does not cover this role";
  return text.skip ? ` · left whole: ${SKIPS[text.skip] ?? text.skip}` : "";
}

function newWord([piece, fate]) {
  const span = document.createElement("span");
  span.className = `w ${fate}`;
  span.textContent = piece;
  return span;
}

function setWay() {
  const slider = SLIDERS[way()];
  const amount = part("amount");
  const ofPolicy = part("policy").selectedOptions[0].dataset[way()];
  amount.min = slider.min;
  amount.max = slider.max;
  amount.value = ofPolicy || slider.usual;
  part("amount-name").textContent = slider.name;
  showAmount();
}

function showAmount() {
  part("amount-shown").textContent = Number(part("amount").value).toFixed(2);
}

async function useSample() {
  part("input").value = await (await fetch("/assets/sample.txt")).text();
  ask();
}

async function copy() {
  const yaml = part("yaml");
  try {
    await navigator.clipboard.writeText(yaml.textContent);
    part("copied").textContent = "Copied.";
  } catch {
    // Without HTTPS only the machine itself has a clipboard: what is selected can be copied by hand.
    window.getSelection().selectAllChildren(yaml);
    part("copied").textContent = "Selected: copy it with the keyboard.";
  }
}

part("controls").addEventListener("submit", (event) => event.preventDefault());
part("input").addEventListener("input", () => {
  window.clearTimeout(typing);
  typing = window.setTimeout(ask, PAUSE_MS);
});
for (const field of ["model", "scorer"]) part(field).addEventListener("change", ask);
part("amount").addEventListener("input", () => {
  showAmount();
  ask();
});
for (const choice of [part("policy"), ...document.querySelectorAll("input[name=way]")]) {
  choice.addEventListener("change", () => {
    setWay();
    ask();
  });
}
part("sample").addEventListener("click", () => useSample().catch((error) => say(error.message, true)));
part("copy").addEventListener("click", copy);
setWay();
ask(); // a browser may have kept what was pasted
