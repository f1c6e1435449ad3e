"""Texts of every sort to compare compressors on, and the corpus of the tiny vocabularies; all made for this.

`text(random, genre)` is a pure function of the state of `random`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

_PROSE = (
    "The meeting began at noon, and everyone agreed that the report should be finished by Friday.",
    "She asked whether the budget of 42,000 dollars would cover the second phase; it would not!",
    "In this document we describe how the service is deployed, monitored and rolled back (twice).",
    "Retrieval of long passages is followed by compression, which removes words that carry little.",
    "Is it true that 3.14 and 2.72 are the only numbers you know? So, um, I mean, maybe.",
    "Dr. O'Neill's state-of-the-art method -- see https://example.org/a.b?c=1 -- costs $5.00 in Q3 2024.",
    "Le rapport a été envoyé à l'équipe, mais personne n'a répondu avant jeudi.",
    "Die Straße ist naß, und die Übung fällt aus; ½ der Gäste blieb trotzdem.",
)
_CODE = (
    "def fold(items: list[int]) -> int:\n    total = 0\n    for item in items:\n        total += item ** 2\n",
    "    return {'total': total, \"n\": len(items)}  # done\n",
    'if (a[i] != b[j] && c->d) { printf("%d\\n", x); }\n',
    "SELECT name, COUNT(*) FROM users WHERE id >= 10 GROUP BY name;\n",
    "<div class=\"row\"><a href='#top'>up</a></div>\n",
)
_LOGS = (
    "2024-03-19T10:15:00Z INFO worker-7 request id=9f3a took 12ms status=200\n",
    "2024-03-19 10:15:01,204 ERROR [pool-1] java.lang.IllegalStateException: closed\n",
    "\tat com.example.Pool.get(Pool.java:42)\n",
    '10.0.0.1 - - [19/Mar/2024:10:15:02 +0000] "GET /v1/items?id=7 HTTP/1.1" 404 512\n',
)
_CHINESE = (
    "会议于中午开始，大家同意报告应在星期五之前完成。",
    "她问预算四万二千元是否够用？不够！",
    "第38届年会将于2007年10月21至24日召开。\n",
    "你好，世界：类别：教育、体育。",
)
_JAPANESE = (
    "会議は正午に始まりました。報告書は金曜日までに仕上げます。",
    "予算は42,000ドルで足りますか？いいえ、足りません！\n",
    "カタカナとひらがなとﾊﾝｶｸ。",
)
_KOREAN = (
    "안녕하세요 세계, 회의는 열두 시에 시작했습니다.",
    "보고서는 금요일까지 끝내야 합니다. 예산은 42,000달러입니다!\n",
    "그것은 아니라고 하지 않았다?",
)
_EMOJI = ("all good 😀👍🏽", "🚀 launch at 10:00 🎉🎉", "👩‍👩‍👧‍👦 family", "☕️ break\n", "ok… “fine” — done")
_LITERALS = (
    *("<s>", "</s>", "<unk>", "<pad>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"),
    *("[NEW0]", "[NEW1]", "[NEW5]", "[NEW99]", "##", "##ing", "▁", "▁the", "<|im_start|>", "()", "./", "#"),
)
_STRAYS = ("<|endoftext|>", "\ud83d", "\0", "\u202eabc", "e\u0301", "　", "\r\n", "ﬁ①", "\u200d")
_WORDS = (
    "Meeting",
    "7",
    ".",
    "不",
    "안녕",
    "😀",
    "\n",
    " ",
    "[NEW5]",
    "state-of-the-art",
    "don't",
    "<s>",
    "\ud800",
)

CORPUS = "\n".join((*_PROSE, *_PROSE, *_CODE, *_LOGS, *_CHINESE, *_JAPANESE, *_KOREAN))
"""What vocabularies are made of."""
ALPHABET = "".join(sorted(set(CORPUS) - set(" \n\t½ßﾊ第算졌시")))
"""Its characters, but for some that stay unknown."""


def _some(random: Random, parts: tuple[str, ...], low: int, high: int, glue: str) -> str:
    return glue.join(random.choice(parts) for _ in range(random.randint(low, high)))


def _lines(random: Random) -> str:
    """Prose whose sentences end in line breaks now and then, some of them doubled."""
    return "".join(random.choice(_PROSE) + random.choice((" ", " ", "\n", "\n\n", "")) for _ in range(12))


def _words(random: Random, low: int, high: int, ends: str) -> str:
    words = [word for line in _PROSE for word in line.rstrip(".!?").split()]
    return " ".join(
        random.choice(words) + random.choice(ends).strip() for _ in range(random.randint(low, high))
    )


def _mixed(random: Random) -> str:
    return " ".join(GENRES[random.choice(_PLAIN)](random) for _ in range(random.randint(2, 4)))


def _literals(random: Random) -> str:
    parts = [
        random.choice(random.choice((_LITERALS, _PROSE, _CHINESE))) for _ in range(random.randint(1, 12))
    ]
    return random.choice(("", " ")).join(parts)


def _strays(random: Random) -> str:
    parts = [random.choice(_PROSE) for _ in range(random.randint(1, 4))]
    parts.insert(random.randint(0, len(parts)), random.choice(_STRAYS))
    return random.choice(("", " ")).join(parts)


GENRES: dict[str, Callable[[Random], str]] = {
    "prose": lambda random: _some(random, _PROSE, 1, 12, random.choice((" ", "\n"))),
    "lines": _lines,
    "code": lambda random: _some(random, _CODE, 1, 10, ""),
    "logs": lambda random: _some(random, _LOGS, 1, 10, ""),
    "chinese": lambda random: _some(random, _CHINESE, 1, 14, ""),
    "japanese": lambda random: _some(random, _JAPANESE, 1, 10, ""),
    "korean": lambda random: _some(random, _KOREAN, 1, 10, " "),
    "emoji": lambda random: _some(random, (*_EMOJI, *_PROSE), 1, 8, " "),
    "literals": _literals,
    "strays": _strays,
    "empty": lambda random: random.choice(("", "", " ", "\n", " \n\t ")),
    "one_word": lambda random: random.choice(_WORDS),
    "long_line": lambda random: _words(random, 420, 700, "  "),
    "long_text": lambda random: _words(random, 420, 1500, "      .,."),
    "one_long_word": lambda random: random.choice(("ab", "不好", "x1")) * random.randint(200, 600),
    "mixed": _mixed,
    "many_chunks": lambda random: _words(random, 14_000, 15_000, "      .,."),
}
_PLAIN = ("prose", "code", "logs", "chinese", "japanese", "korean", "emoji", "literals")


def text(random: Random, genre: str) -> str:
    """A text of that genre."""
    return GENRES[genre](random)
