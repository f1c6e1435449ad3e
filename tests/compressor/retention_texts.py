"""Texts of eight languages and what must come through each of them at any rate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """`whole` stays as it is written; `labels` begin lines; numbers are checked besides."""

    text: str
    whole: tuple[str, ...]
    labels: tuple[str, ...] = ()


CODE = "```python\ndef total(lines, tax=0.19):\n    return sum(x.price for x in lines) * (1 + tax)  # \
gross\n```"
JSON = '{"order": 4711, "items": [{"sku": "A-1", "count": 2}, {"sku": "B-7", "count": 1}], "paid": false}'

EN = Sample(
    f"""[2024-03-05 14:02] Dana: So basically I had another look at the checkout service, and as far as I \
can \
see the outage (the one from Monday, March 4, 2024 at 9:30 a.m.) was not caused by the new release \
v2.4.1-rc3.
[2024-03-05 14:03] Omar: Right, and we should not restart db-01.internal:5432 before the backup is \
finished. \
It holds about 12.5 million rows, and the last one took 3 h 20 min on 10.0.0.7.
- The customer (No. 10-2233) never confirmed the refund of EUR 1,234.56, so nobody may pay it out.
- Refunds are possible within thirty-six months, unless the item was on sale; see Section 4.2(b)(ii).
- Please read [the guide](https://docs.example.org/refunds?lang=en#limits) or write to help@example.org.

The nightly job failed with exit code 137 on commit 9f8e7d6c, and MAX_RETRIES was 3. The log lies in \
/var/log/app/worker-2.log and, on Windows, in C:\\Temp\\app.log; it is really quite long and mostly noise.
The pump runs at 5 °C to 12 °C, weighs 2 1/2 lb, costs $ 1,999.00 and needs firmware >=2.1 and <3.0.

{CODE}

Then the shop answered with this, which as you can imagine did not help us very much at the time:

{JSON}

Patient denies chest pain; lungs are clear w/o wheezes. Do not give more than 2 tablets a day, except on \
the advice of a doctor. He said "we really should wait for a while" (twice, in fact), and then he left.
""",
    (
        "not caused",
        "not restart",
        "db-01.internal:5432",
        "v2.4.1-rc3",
        "Monday, March 4, 2024 at 9:30 a.m",
        "12.5 million",
        "3 h 20 min",
        "10.0.0.7",
        "No. 10-2233",
        "never confirmed",
        "EUR 1,234.56",
        "nobody may pay",
        "thirty-six months",
        "unless",
        "Section 4.2(b)(ii)",
        "https://docs.example.org/refunds?lang=en#limits",
        "help@example.org",
        "failed",
        "9f8e7d6c",
        "MAX_RETRIES",
        "/var/log/app/worker-2.log",
        "C:\\Temp\\app.log",
        "5 °C to 12 °C",
        "2 1/2 lb",
        "$ 1,999.00",
        ">=2.1 and <3.0",
        CODE,
        JSON,
        "denies chest",
        "w/o wheezes",
        "not give more than 2 tablets",
        "except",
    ),
    ("[2024-03-05 14:02] Dana:", "[2024-03-05 14:03] Omar:"),
)

KO = Sample(
    f"""민지: 그러니까 제가 어제 확인해 보니까 2024년 3월 4일 오전 9시 30분에 있었던 장애는 새 버전 v2.4.1 \
때문에 생긴 것이 아니었습니다.
준호: 네, 그렇군요. 백업이 끝나기 전에는 db-01 서버를 다시 시작하면 안 됩니다. 데이터가 약 1,250만 건이고 \
지난번에는 3시간 20분이 걸렸습니다.
민지: 고객은 환불 금액 123,400원을 아직 승인하지 않았고, 미성년자는 신청할 수 없습니다. 자세한 내용은 \
https://example.org/refund 를 보세요.
준호: 사실 저는 잘 모르겠지만 아무튼 로그는 /var/log/app/worker-2.log 에 있고 대부분은 별로 중요한 내용이 \
아닙니다.
민지: 반드시 세 번 확인해야 하고, 절대 비밀번호를 공유하지 마세요. 오늘만 10 % 할인이 적용되며 이용 요금은 \
무료가 아님.

{JSON}

그리고 나서 모두 함께 정말 즐겁게 이야기를 나누고 (꽤 오랫동안) 집으로 돌아갔다고 합니다.
""",
    (
        "2024년 3월 4일 오전 9시 30분에",
        "v2.4.1",
        "것이 아니었습니다",
        "시작하면 안 됩니다",
        "약 1,250만 건이고",
        "3시간 20분이",
        "123,400원을",
        "승인하지 않았고",
        "신청할 수 없습니다",
        "https://example.org/refund",
        "/var/log/app/worker-2.log",
        "내용이 아닙니다",
        "세 번 확인해야",
        "공유하지 마세요",
        "오늘만 10 %",
        "무료가 아님",
        JSON,
    ),
    ("민지:", "준호:"),
)

ZH = Sample(
    """王芳：其实我昨天又仔细看了一遍，2024年3月4日上午9点30分的故障并不是新版本v2.4.1造成的，\
所以大家先不要着急。
李明：好的，备份完成之前不能重启服务器，数据大约有1250万条，上次用了3小时20分钟，真的非常非常慢。
王芳：客户没有批准1,234.56元的退款，未经许可不得转载，除非另有约定。详情请看 \
https://example.org/refund?id=7 这个页面。
李明：会议在第三章提到的地点举行，总额三百二十万元，禁止吸烟，日志在 /var/log/app.log 里面，\
其他的内容都不太重要。
""",
    (
        "2024年3月4日上午9点30分",
        "v2.4.1",
        "不能重启",
        "1250万",
        "3小时20分钟",
        "没有批准",
        "1,234.56元",
        "未经许可不得",
        "除非",
        "https://example.org/refund?id=7",
        "第三章",
        "三百二十万元",
        "禁止",
        "/var/log/app.log",
    ),
    ("王芳：", "李明："),
)

JA = Sample(
    """田中：実は昨日もう一度ゆっくり確認したのですが、\
2024年3月4日の午前9時30分に起きた障害は新しいv2.4.1が原因ではありませんでした。
鈴木：なるほど、そうですか。バックアップが終わるまでは再起動できません。データは約1250万件あり、\
前回は3時間20分かかりました。
田中：お客様は5万円の返金をまだ承認しなかったので、必ず確認してください。詳しくは \
https://example.org/refund を見てください。
鈴木：会員だけが入れます。未承認の申請は無効です。ログは /var/log/app.log にありますが、\
ほとんどの内容はあまり大事なものです。
""",
    (
        "2024年3月4日",
        "午前9時30分",
        "v2.4.1",
        "再起動できません",
        "約1250万件",
        "3時間20分",
        "5万円",
        "承認しなかった",
        "必ず",
        "https://example.org/refund",
        "だけ",
        "未承認",
        "無効",
        "/var/log/app.log",
    ),
    ("田中：", "鈴木："),
)

DE = Sample(
    """Jana: Also ich habe mir das Ganze gestern noch einmal in aller Ruhe angesehen, und der Ausfall vom \
4. März 2024 \
um 9:30 Uhr wurde nicht durch die neue Version v2.4.1 verursacht.
Peter: Der Server db-01 darf vor dem Ende der Sicherung auf keinen Fall neu gestartet werden. Sie dauerte \
zuletzt \
3 Stunden und 20 Minuten, und es sind ungefähr 12,5 Millionen Zeilen.
Jana: Der Antrag auf 1.234,56 € wurde abgelehnt, und niemand hat ihn genehmigt, außer Frau Klein. Nach § 5 \
Abs. 2 \
Satz 1 gilt das auch ohne Unterschrift; siehe https://example.org/recht und /srv/akten/2024-03.pdf (die \
Datei ist groß).
Peter: Nur Mitglieder zahlen fünfundzwanzig Euro, mindestens 10 % weniger als im letzten Jahr.
""",
    (
        "4. März 2024 um 9:30 Uhr",
        "nicht durch die neue",
        "v2.4.1",
        "keinen Fall",
        "3 Stunden und 20 Minuten",
        "12,5 Millionen",
        "1.234,56 €",
        "abgelehnt",
        "niemand hat ihn genehmigt",
        "außer",
        "§ 5 Abs. 2",
        "ohne Unterschrift",
        "https://example.org/recht",
        "/srv/akten/2024-03.pdf",
        "fünfundzwanzig Euro",
        "mindestens 10 %",
    ),
    ("Jana:", "Peter:"),
)

FR = Sample(
    """Léa : Bon, en fait j'ai regardé tout cela hier encore une fois, et la panne du 4 mars 2024 à 9 h 30 \
n'a pas été \
causée par la nouvelle version v2.4.1.
Paul : Il ne faut pas redémarrer le serveur db-01 avant la fin de la sauvegarde. Elle a duré 3 heures et \
20 minutes la \
dernière fois, pour environ 12,5 millions de lignes.
Léa : Le client n'a jamais confirmé le remboursement de 1 234,56 €, et personne ne doit le payer sans \
accord, sauf avis \
contraire ; voir https://example.org/droits et /srv/dossiers/2024-03.pdf (le fichier est assez gros).
Paul : Louis XIV régna au XVIIe siècle, pendant soixante-douze ans, et plus de 20 % des pages en parlent.
""",
    (
        "4 mars 2024 à 9 h 30",
        "n'a pas été causée",
        "v2.4.1",
        "ne faut pas redémarrer",
        "3 heures et 20 minutes",
        "12,5 millions",
        "n'a jamais confirmé",
        "1 234,56 €",
        "sans accord",
        "sauf avis",
        "https://example.org/droits",
        "/srv/dossiers/2024-03.pdf",
        "XIV",
        "XVIIe siècle",
        "soixante-douze ans",
        "plus de 20 %",
    ),
    ("Léa :", "Paul :"),
)

ES = Sample(
    """Ana: Bueno, la verdad es que ayer lo miré otra vez con mucha calma, y la caída del 4 de marzo de \
2024 a las 9:30 \
no fue causada por la nueva versión v2.4.1.
Luis: No se debe reiniciar el servidor db-01 antes del final de la copia. La última tardó 3 horas y 20 \
minutos, con \
unos 12,5 millones de filas.
Ana: El cliente nunca confirmó el reembolso de 1.234,56 €, y nadie puede pagarlo sin autorización, salvo \
pacto en \
contrario; véase https://example.org/leyes y /srv/casos/2024-03.pdf (el archivo es bastante grande).
Luis: Solo los socios pagan veinticinco euros, al menos 10 % menos que el año pasado, y la empresa se negó \
a pagar.
""",
    (
        "4 de marzo de 2024 a las 9:30",
        "no fue causada",
        "v2.4.1",
        "No se debe reiniciar",
        "3 horas y 20 minutos",
        "12,5 millones",
        "nunca confirmó",
        "1.234,56 €",
        "nadie puede pagarlo",
        "sin autorización",
        "salvo pacto",
        "https://example.org/leyes",
        "/srv/casos/2024-03.pdf",
        "Solo",
        "veinticinco euros",
        "al menos 10 %",
        "negó",
    ),
    ("Ana:", "Luis:"),
)

PT = Sample(
    """Rui: Bem, na verdade ontem olhei para tudo isto outra vez com muita calma, e a falha de 4 de março \
de 2024 às 9:30 \
não foi causada pela nova versão v2.4.1.
Eva: Não se deve reiniciar o servidor db-01 antes do fim da cópia. A última demorou 3 horas e 20 minutos, \
com cerca de \
12,5 milhões de linhas.
Rui: O cliente nunca confirmou o reembolso de R$ 1.234,56, e ninguém pode pagar sem autorização, salvo \
acordo em \
contrário; ver https://example.org/leis e /srv/casos/2024-03.pdf (o arquivo é bastante grande).
Eva: Apenas os sócios pagam vinte euros, pelo menos 10 % a menos que no ano passado, e a empresa recusou a \
proposta.
""",
    (
        "4 de março de 2024 às 9:30",
        "não foi causada",
        "v2.4.1",
        "Não se deve reiniciar",
        "3 horas e 20 minutos",
        "12,5 milhões",
        "nunca confirmou",
        "R$ 1.234,56",
        "ninguém pode pagar",
        "sem autorização",
        "salvo acordo",
        "https://example.org/leis",
        "/srv/casos/2024-03.pdf",
        "Apenas",
        "vinte euros",
        "10 %",
        "recusou",
    ),
    ("Rui:", "Eva:"),
)

SAMPLES = {"en": EN, "ko": KO, "zh": ZH, "ja": JA, "de": DE, "fr": FR, "es": ES, "pt": PT}
