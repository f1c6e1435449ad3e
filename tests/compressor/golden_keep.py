"""The golden table of force-keep: per language, what must be kept and what must not.

Each case is a text, stretches that must be forced whole, and stretches of which no word may be forced. They
hold for `CompressionParams(force_tokens=())`; docs/force-keep.md quotes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    text: str
    kept: tuple[str, ...] = ()
    free: tuple[str, ...] = ()


EN = (
    Case(
        "The bridge is 5 km long and cost 12 million dollars.",
        ("5 km", "12 million dollars"),
        ("bridge", "cost"),
    ),
    Case("It takes 3.5 GB of memory, or 3.5GB written together.", ("3.5 GB", "3.5GB"), ("memory", "written")),
    Case("The fee is EUR 5.00 or USD 10 a head.", ("EUR 5.00", "USD 10"), ("fee", "head")),
    Case("They paid $ 5 and got -$2.50 back, a change of 5 %.", ("$ 5", "-$2.50", "5 %"), ("They", "got")),
    Case("See No. 5 and Section 12, under § 5.", ("No. 5", "Section 12", "§ 5"), ("See",)),
    Case("At least 5 people and up to 20 guests came.", ("At least 5 people", "up to 20"), ("guests came",)),
    Case("The price rose more than 10 percent.", ("more than 10 percent",), ("price rose",)),
    Case("Pages 10 - 12 hold 5 to 10 items.", ("Pages 10 - 12", "5 to 10"), ("hold", "items")),
    Case(
        "The meeting is on Monday, May 5, 2020 at 3 p.m. in town.",
        ("Monday, May 5, 2020", "3 p.m"),
        ("town",),
    ),
    Case("They may march in summer.", (), ("They may march in summer",)),
    Case("Two or three days later it rained.", ("Two or three days",), ("rained",)),
    Case("Half a dozen eggs were left.", ("Half", "dozen"), ("eggs were left",)),
    Case("One million users joined one hour ago.", ("One million", "one hour"), ("users joined",)),
    Case("One of the best things is free.", (), ("One of the best things is free",)),
    Case("COVID-19 cost 1,234.56 in Q3 2024.", ("COVID-19", "1,234.56", "Q3 2024"), ("cost",)),
    Case("Version v1.2.3-rc1 fixes build 9f8e7d6c.", ("v1.2.3-rc1", "9f8e7d6c"), ("fixes",)),
    Case(
        "The API getUserName reads user_id with --verbose.",
        ("getUserName", "user_id", "--verbose"),
        ("reads",),
    ),
    Case("Call os.path.join or std::move for @alice.", ("os.path.join", "std::move", "@alice"), ("Call",)),
    Case("We do not approve the plan.", ("not approve",), ("the plan",)),
    Case("He didn’t say, and she doesn't know.", ("didn’t say", "doesn't know"), ("He",)),
    Case(
        "Payment is not yet fully approved by the board.", ("not yet fully approved",), ("Payment", "board")
    ),
    Case("Never share keys with strangers.", ("Never share",), ("strangers",)),
    Case(
        "Refunds are void unless approved, without exception.",
        ("unless approved", "without exception"),
        ("Refunds",),
    ),
    Case("You must not enter; only staff may.", ("must not enter", "only"), ("You",)),
    Case("Everyone came except Maria.", ("except Maria",), ("Everyone came",)),
    Case("Neither side agreed, nor did the court.", ("Neither side", "nor did the court"), ("agreed",)),
    Case("She said she would, but he did not.", ("did not",), ("She said she would",)),
    Case(
        "No one approved the plan, and no one is allowed to leave early.",
        ("No one approved", "no one is allowed"),
        ("the plan", "early"),
    ),
    Case("They cannot pay. There is no money.", ("cannot pay", "no money"), ("There",)),
    Case("There is hardly any doubt that none remain.", ("hardly any doubt", "none remain"), ("There is",)),
    Case("It was noted in another notebook.", (), ("It was noted in another notebook",)),
    Case(
        "Patient denies chest pain, lungs w/o murmur.", ("denies chest", "w/o murmur"), ("Patient", "lungs")
    ),
    Case("He failed to pay and refused delivery.", ("failed", "refused"), ("pay", "delivery")),
    Case("Use tea instead of coffee.", ("instead",), ("Use tea", "coffee")),
    Case("It took one and a half hours.", ("one and a half hours",), ("It took",)),
    Case("A two-thirds majority needs thirty-six votes.", ("two-thirds", "thirty-six"), ("majority needs",)),
    Case(
        "Louis XIV met Napoleon III in Chapter V; I did.",
        ("XIV", "III", "Chapter V"),
        ("met Napoleon", "I did"),
    ),
    Case("See Section 2(b)(iii) for fees.", ("Section 2(b)(iii)",), ("for fees",)),
    Case("Account GB29 NWBK 6016 1331 9268 19 NOW.", ("GB29 NWBK 6016 1331 9268 19",), ("Account", "NOW")),
    Case("It needs ^1.2.3 but !=1.2.5.", ("^1.2.3", "!=1.2.5"), ("needs",)),
    Case("The sum of 1,\n234.56 was split.", ("1,", "234.56"), ("split",)),
    Case("We like some, but not all of them.", ("not all",), ("We like some", "of them")),
    Case("Few people came at 14:00 UTC today.", ("Few", "14:00 UTC"), ("people came", "today")),
    Case("Add 2 tsp of salt, 7 tbsp of oil.", ("2 tsp", "7 tbsp"), ("of salt", "oil")),
    Case("Он не пришёл вчера.", ("не пришёл",), ("вчера",)),
    Case("מחר לא נפגש בבית.", ("לא נפגש",), ("בבית",)),
    Case("المبلغ لا يمكن استرداده.", ("لا يمكن",), ("المبلغ",)),
    Case("कृपया भुगतान न करें।", ("न करें",), ("कृपया भुगतान",)),
)

KO = (
    Case("다리는 5 km 이고 비용은 약 3 조 원이다.", ("5 km", "약 3 조 원이다"), ("다리는", "비용은")),
    Case("학생 12 명이 5만원을 냈다.", ("12 명이", "5만원을"), ("학생", "냈다")),
    Case("열두 명이 왔고 세 개를 샀다.", ("열두 명이", "세 개를"), ("왔고", "샀다")),
    Case("삼백만 원을 빌렸다.", ("삼백만 원을",), ("빌렸다",)),
    Case("스무 살에 세명이 떠났다.", ("스무 살에", "세명이"), ("떠났다",)),
    Case("사과는 네 개였지만 마흔한 명이 왔다.", ("네 개였지만", "마흔한 명이"), ("사과는", "왔다")),
    Case("세 군데에 서른여섯 가구가 산다.", ("세 군데에", "서른여섯 가구가"), ("산다",)),
    Case("2024년 3월 5일 오후 3시 30분에 만났다.", ("2024년 3월 5일 오후 3시 30분에",), ("만났다",)),
    Case("제 3 조 제2항을 보라.", ("제 3 조 제2항을",), ("보라",)),
    Case("참가자는 10 명 이상 20 명 미만이다.", ("10 명 이상 20 명 미만이다",), ("참가자는",)),
    Case("10 퍼센트 올랐고 5 %는 남았다.", ("10 퍼센트",), ("올랐고", "남았다")),
    Case("한 시간 걸렸다.", ("한 시간",), ("걸렸다",)),
    Case("한 남자가 두 손을 들었다.", (), ("한 남자가", "손을 들었다")),
    Case("이사 조사 결과 세계 경제는 만일의 일이다.", (), ("이사 조사 결과 세계 경제는 만일의 일이다",)),
    Case("위원회는 승인하지 않았다.", ("승인하지 않았다",), ("위원회는",)),
    Case("나는 학교에 안 갔다.", ("안 갔다",), ("나는 학교에",)),
    Case("그는 숙제를 못 했다.", ("못 했다",), ("그는 숙제를",)),
    Case("다른 방법이 없다.", ("방법이 없다",), ("다른",)),
    Case("이것은 사실이 아닙니다.", ("사실이 아닙니다",), ("이것은",)),
    Case("혼자서는 할 수 없다.", ("할 수 없다",), ("혼자서는",)),
    Case("밤에 가면 안 된다.", ("가면 안 된다",), ("밤에",)),
    Case("절대 공유하지 마세요.", ("절대 공유하지 마세요",)),
    Case("울지 말고 말해라.", ("울지 말고",), ("말해라",)),
    Case("오늘만 할인이 적용된다.", ("오늘만",), ("할인이 적용된다",)),
    Case("비쌌지만 샀다. 하지만 후회한다.", (), ("비쌌지만 샀다", "하지만 후회한다")),
    Case("남은 것은 이름뿐이다.", ("이름뿐이다",), ("남은",)),
    Case("주말은 제외하고 출입 금지 구역이다.", ("주말은 제외하고", "출입 금지"), ("구역이다",)),
    Case("반드시 서명해야 한다.", ("반드시 서명해야",), ("한다",)),
    Case("안녕하세요 안내 말씀과 안전 수칙입니다.", (), ("안녕하세요 안내 말씀과 안전 수칙입니다",)),
    Case("이용은 무료가 아님.", ("무료가 아님",), ("이용은",)),
    Case("그것은 내 잘못이다.", (), ("그것은 내 잘못이다",)),
    Case("승인 없이 배포하지 못한다.", ("승인 없이", "배포하지 못한다")),
    Case("함수 getUserName 과 user_id 를 쓴다.", ("getUserName", "user_id"), ("함수", "쓴다")),
)

ZH = (
    Case("我不同意这个方案。", ("不同意",), ("我", "这个方案")),
    Case("他没有批准预算。", ("没有批准",), ("他", "预算")),
    Case("合同未签署，付款无效。", ("未签署", "无效"), ("合同", "付款")),
    Case("请别忘记密码。", ("别忘记",), ("密码",)),
    Case("这部电影非常好，不过特别贵。", (), ("这部电影非常好，不过特别贵",)),
    Case("你是不是学生？", (), ("你是不是学生",)),
    Case("从这里看不到山。", ("看不到",), ("从这里",)),
    Case("总额三百二十万元，十二月支付。", ("三百二十万元", "十二月"), ("总额", "支付")),
    Case("第三章共300 元，约5个月。", ("第三章", "300 元", "约5个月")),
    Case("一个人十分高兴地一起走。", (), ("一个人十分高兴地一起走",)),
    Case("会议在2024年3 月举行。", ("2024年3 月",), ("会议", "举行")),
    Case("禁止吸烟，必须登记，只有员工可以。", ("禁止", "必须", "只有"), ("吸烟", "登记")),
    Case("他上午9点来，下午三点走。", ("上午9点", "下午三点"), ("他",)),
    Case("至少10人以上参加。", ("至少10人以上",), ("参加",)),
    Case("董事會沒有批准，不會付款。", ("沒有批准", "不會付款"), ("董事會",)),
)

JA = (
    Case("予算は承認しなかった。", ("承認しなかった",), ("予算",)),
    Case("彼は行かない。", ("行かない",), ("彼",)),
    Case("それは必要ではない。", ("必要ではない",), ("それ",)),
    Case("特に予定はありませんでした。", ("予定はありませんでした",), ("特に",)),
    Case("何も知らずに来た。", ("知らず",), ("来た",)),
    Case("まず始めに、少ない人が来た。", (), ("まず始めに、少ない人が来た",)),
    Case("未承認の申請は無効だ。", ("未承認", "無効"), ("申請",)),
    Case("会費は5万円、参加は3 月です。", ("5万円", "3 月"), ("会費", "参加")),
    Case("第三章は十二月に三百二十万円で。", ("第三章", "十二月", "三百二十万円")),
    Case("参加者は10人以上です。", ("10人以上",), ("参加者",)),
    Case("会議は午後3時に始まる。", ("午後3時",), ("会議", "始まる")),
    Case("会員だけ入れる。しかし雨だ。", ("だけ",), ("会員", "しかし雨だ")),
    Case("必ず署名しなければならない。", ("必ず", "署名しなければならない")),
    Case("一緒に十分な時間を特別に使う。", (), ("一緒に十分な時間を特別に使う",)),
)

DE = (
    Case("Das ist nicht erlaubt.", ("nicht erlaubt",), ("Das ist",)),
    Case("Er kommt nicht.", ("kommt nicht",), ("Er",)),
    Case("Keine Zahlung ohne Genehmigung des Amtes.", ("Keine Zahlung ohne Genehmigung",), ("Amtes",)),
    Case("Am 5. März 2020 um 14:30 Uhr begann es.", ("5. März 2020 um 14:30 Uhr",), ("begann",)),
    Case("Zwei Tage kosten 3,5 % mehr.", ("Zwei Tage", "3,5 %"), ("kosten",)),
    Case("Die Summe von 10 000 € wurde gezahlt.", ("10 000 €",), ("Summe", "wurde gezahlt")),
    Case("Nach § 5 Abs. 2 gilt das.", ("§ 5 Abs. 2",), ("gilt das",)),
    Case("Weder Brot noch Butter war da.", ("Weder Brot",), ("war da",)),
    Case("Das Haus wurde noch nicht vollständig bezahlt.", ("nicht vollständig",), ("Das Haus",)),
    Case("Nur Mitglieder müssen zahlen, außer Kindern.", ("Nur", "müssen", "außer Kindern"), ("Mitglieder",)),
    Case("Es dauerte eine Stunde und eine Frau wartete.", ("eine Stunde",), ("eine Frau wartete",)),
    Case("Mindestens 12 Millionen Euro fehlen.", ("Mindestens 12 Millionen Euro",), ("fehlen",)),
    Case("Der Antrag wurde abgelehnt.", ("abgelehnt",), ("Der Antrag",)),
    Case("Er zahlt fünfundzwanzig Kronen.", ("fünfundzwanzig",), ("Er zahlt",)),
    Case("Die Note steht im Notizbuch.", (), ("Die Note steht im Notizbuch",)),
)

FR = (
    Case("Ce n'est pas autorisé par la loi.", ("n'est pas autorisé",), ("par la loi",)),
    Case("Il ne faut pas payer.", ("ne faut pas payer",), ("Il",)),
    Case("Il n’y a aucun problème ici.", ("n’y a aucun problème",), ("ici",)),
    Case("Elle ne vient plus, et il ne dit jamais tout.", ("ne vient plus", "ne dit jamais"), ("Elle",)),
    Case("Le 3 mai, il a payé deux euros.", ("3 mai", "deux euros"), ("il a payé",)),
    Case("Il a plus de 5 ans et parle plus tard.", ("plus de 5 ans",), ("parle plus tard",)),
    Case("Le prix est de 10 000 € environ.", ("10 000 €",), ("Le prix",)),
    Case("Une heure après, une femme arrive.", ("Une heure",), ("une femme arrive",)),
    Case("Sans accord, tous sauf Marie doivent partir.", ("Sans accord", "sauf Marie", "doivent"), ("tous",)),
    Case("Il faut 12 millions d'euros pour l'article 5.", ("12 millions d'euros",), ("Il faut",)),
    Case("Ni le juge ni le maire ne savent.", ("Ni le juge", "ni le maire"), ()),
    Case("Elle refuse de signer.", ("refuse",), ("Elle",)),
    Case("Au XIXe siècle, vingt-deux villes.", ("XIXe siècle", "vingt-deux"), ("villes",)),
    Case("La personne passe à ce point.", (), ("La personne passe à ce point",)),
)

ES = (
    Case("No se permite fumar aquí.", ("No se permite",), ("fumar aquí",)),
    Case("El plan no fue aprobado por la junta.", ("no fue aprobado",), ("El plan", "junta")),
    Case("Sin autorización de la junta, nada cambia.", ("Sin autorización", "nada cambia"), ("junta",)),
    Case("El 5 de mayo de 2020 costó mucho.", ("5 de mayo de 2020",), ("costó mucho",)),
    Case("Costó 5 millones de dólares en la ciudad.", ("5 millones de dólares",), ("Costó", "ciudad")),
    Case("Dos personas y once perros en la casa.", ("Dos personas", "once"), ("perros", "casa")),
    Case("Una hora después, una mujer de la casa llegó.", ("Una hora",), ("una mujer", "llegó")),
    Case("Al menos 10 % de los casos.", ("Al menos 10 %",), ("casos",)),
    Case("Todos vinieron excepto María.", ("excepto María",), ("Todos vinieron",)),
    Case("Nunca compartas la clave.", ("Nunca compartas",), ("clave",)),
    Case("Solo los socios deben pagar 12 €.", ("Solo", "deben", "12 €"), ("socios",)),
    Case("La empresa se negó a pagar.", ("negó",), ("La empresa", "pagar")),
    Case("La nota del notario es notable.", (), ("La nota del notario es notable",)),
)

PT = (
    Case("O plano não foi aprovado no Brasil.", ("não foi aprovado",), ("O plano", "no Brasil")),
    Case("As casas dos vizinhos são velhas e ficam no centro.", (), ("As casas dos vizinhos são velhas",)),
    Case("Duas pessoas saíram em 5 de março de 2021.", ("Duas pessoas", "5 de março de 2021"), ("saíram",)),
    Case("Sem aprovação nem aviso, as pessoas saíram.", ("Sem aprovação nem aviso",), ("as pessoas saíram",)),
    Case("Custou 5 milhões de reais em uma cidade.", ("5 milhões de reais",), ("Custou", "em uma cidade")),
    Case("Pelo menos 10 % dos casos.", ("menos 10 %",), ("casos",)),
    Case("Nunca compartilhe a senha.", ("Nunca compartilhe",), ("a senha",)),
    Case("Todos vieram exceto Maria.", ("exceto Maria",), ("Todos vieram",)),
    Case("Em casa, apenas os sócios devem pagar R$ 12,50.", ("apenas", "devem", "R$ 12,50"), ("sócios",)),
    Case("Uma hora depois, uma mulher chegou.", ("Uma hora",), ("uma mulher chegou",)),
    Case("Ninguém sabe, e nada mudou na cidade.", ("Ninguém sabe", "nada mudou"), ("cidade",)),
    Case("A empresa recusou a oferta.", ("recusou",), ("A empresa", "oferta")),
    Case("Artigo 5 e nº 12 da lei.", ("Artigo 5", "nº 12"), ("da lei",)),
)

GOLDEN: dict[str, tuple[Case, ...]] = {
    "en": EN,
    "ko": KO,
    "zh": ZH,
    "ja": JA,
    "de": DE,
    "fr": FR,
    "es": ES,
    "pt": PT,
}
