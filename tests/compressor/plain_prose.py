"""Plain prose of eight languages, without numbers, names, code or denials: nothing is forced to stay."""

from __future__ import annotations

from random import Random

from compressor import counter

SENTENCES = {
    "en": (
        "The old harbour wakes slowly, and the first boats leave while the streets are wet from the rain.",
        "People who live near the market often say that the best bread is baked by a family from the hills.",
        "During the long summer evenings the children play by the river until their parents call them home.",
        "A quiet path leads through the garden, past tall trees and a small house with green windows.",
        "Our teacher told us a story about a traveller who carried a heavy book across the mountains.",
        "When the wind turns, the smell of salt and wood fills every room of the house by the sea.",
    ),
    "de": (
        "Der alte Hafen erwacht langsam, und die ersten Boote fahren hinaus, während die Straßen nass sind.",
        "Wer in der Nähe des Marktes wohnt, erzählt gern, dass das beste Brot aus den Bergen kommt.",
        "An langen Sommerabenden spielen die Kinder am Fluss, bis ihre Eltern sie nach Hause rufen.",
        "Ein stiller Weg führt durch den Garten, vorbei an hohen Bäumen und einem kleinen Haus.",
        "Unsere Lehrerin erzählte die Geschichte eines Reisenden, der ein schweres Buch über die Berge trug.",
    ),
    "fr": (
        "Le vieux port se réveille doucement, et les premiers bateaux partent pendant que les rues sèchent.",
        "Les gens qui habitent près du marché racontent que le meilleur pain vient des collines voisines.",
        "Pendant les longues soirées d'été, les enfants jouent au bord de la rivière avec leurs amis.",
        "Un chemin tranquille traverse le jardin, passe devant de grands arbres et une petite maison.",
        "Notre professeur racontait l'histoire d'un voyageur qui portait un livre très lourd.",
    ),
    "es": (
        "El viejo puerto despierta despacio, y los primeros barcos salen mientras las calles siguen mojadas.",
        "La gente que vive cerca del mercado cuenta que el mejor pan viene de las colinas.",
        "En las largas tardes de verano los niños juegan junto al río hasta que llega la noche.",
        "Un camino tranquilo cruza el jardín, entre árboles altos y una casa pequeña de ventanas verdes.",
        "Nuestra maestra contaba la historia de un viajero que llevaba un libro pesado por las montañas.",
    ),
    "pt": (
        "O velho porto acorda devagar, e os primeiros barcos partem enquanto as ruas ainda estão molhadas.",
        "As pessoas que moram perto do mercado contam que o melhor pão vem das colinas.",
        "Nas longas tardes de verão as crianças brincam ao lado do rio até chegar a noite.",
        "Um caminho tranquilo atravessa o jardim, entre árvores altas e uma pequena casa.",
        "A nossa professora contava a história de um viajante que levava um livro pesado.",
    ),
    "ko": (
        "오래된 항구는 천천히 깨어나고 거리가 젖어 있는 동안 작은 배들이 바다로 나간다.",
        "시장 근처에 사는 사람들은 언덕 위의 가족이 가장 맛있는 빵을 굽는다고 이야기한다.",
        "긴 여름 저녁이면 아이들은 부모님이 부를 때까지 강가에서 친구들과 함께 놀았다.",
        "조용한 길은 정원을 지나 키가 큰 나무들과 초록색 창문이 있는 집으로 이어진다.",
        "우리 선생님은 무거운 책을 들고 산을 넘은 여행자의 이야기를 들려주셨다.",
    ),
    "zh": (
        "古老的港口慢慢醒来，街道还很潮湿，渔船就已经出海了。",
        "住在市场附近的人常常说，山上的那家人烤的面包最好吃。",
        "在漫长的夏天傍晚，孩子们在河边玩耍，直到父母叫他们回家。",
        "安静的小路穿过花园，经过高大的树木和有绿色窗户的房子。",
        "我们的老师讲过旅行者背着沉重的书翻过大山的故事。",
    ),
    "ja": (
        "古い港はゆっくり目を覚まし、道がまだ濡れているうちに船が海へ出ていく。",
        "市場の近くに住む人々は、丘の上の家族が焼くパンがおいしいとよく話している。",
        "長い夏の夕方、子どもたちは親に呼ばれるまで川のそばで遊んでいた。",
        "静かな道は庭を通り、高い木々と緑の窓のある家へ続いている。",
        "先生は重い本を持って山を越えた旅人の話を聞かせてくれた。",
    ),
}


def prose(language: str, tokens: int) -> str:
    """At least `tokens` tokens of either encoding: the language's sentences in some order, in paragraphs."""
    random = Random(language)
    parts, n_tokens = [], 0
    count = counter("o200k_base").count
    gap = "" if language in {"zh", "ja"} else " "
    while n_tokens < tokens:
        parts.append(gap.join(random.choices(SENTENCES[language], k=12)))
        n_tokens += count(parts[-1])
    return "\n\n".join(parts)
