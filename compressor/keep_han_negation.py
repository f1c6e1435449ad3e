"""Negations and restrictions in Chinese and Japanese, found by character: they hold however words are cut.

Chinese negations and the Sino-Japanese prefixes govern the characters after them (不同意, 没有批准, 未承認);
Japanese endings govern the verb or noun before them (承認しなかった, 必要ではない, 知らず).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compressor.chars import Group
from compressor.spans import CharSet, Members, Positions, WideText, covering, pair
from compressor.types import Bools, Words

_HAN, _KANA, _STEM = CharSet.of(Group.HAN), CharSet.of(Group.HIRAGANA), CharSet.of(Group.HAN, Group.KATAKANA)
_DENYING = CharSet("不没沒未无無非勿莫否")
_DONT = CharSet("别別")
_BEFORE_DONT = CharSet("你您请請们們万萬也都就先还還")
_AUXILIARIES = CharSet("会會能可以要该該应應得想必须須愿願太再敢肯曾被有是让讓给給把很允许許准一定")
_COMPLEMENTS = CharSet("到了完下上起见見出住着著懂动動")
"""看不到, 买不起: the verb stands before the negation."""
_AND_NEXT = Members.of_pairs(
    "非常 未来 未來 别人 別人 别的 別の 别墅 别名 別名 不过 不過 不断 不斷 不同 不仅 不僅 不但 "
    "不少 不久 不管 不论 不論 不禁 不由 无论 無論 无数 無数 無數 莫斯 莫名 没收 沒收 无锡 无线 "
    "無線 非洲 否则"
)
_AND_LAST = Members.of_pairs(
    "沉没 沉沒 淹没 淹沒 出没 出沒 是非 是否 能否 可否 约莫 約莫 日没 差不 了不 要不 来不"
)
_HAN_GOVERNED = 2
_AUXILIARY_REACH = 4

_ENDINGS = tuple(CharSet(char) for char in "なまずぬ")
_SHI = CharSet("し")
_NAI = CharSet("いかけく")
_NOT_NAI = Members.of_pairs("少な 危な 切な 汚な 幼な 斜な")
_NOT_NAKU = Members.of_pairs("まも 間も ほど さり")
_BEFORE_ZU = CharSet("らかさわたがばなせけれえてべめげびきじみりねい")
_AFTER_ZU = CharSet("にともし、。」）,. \n\0")
_BEFORE_NU = CharSet("らかさわたがばなれ")
_AFTER_NASHI = CharSet("でにの、。」）,. \n\0")
_TAIL, _TAIL_REACH = CharSet("かっければたでし"), 4
"""The rest of the ending: な-かった, なけ-れば, ません-でした."""
_KANA_BACK, _STEM_BACK = 6, 6
"""How far back a Japanese ending reaches: verb endings in Hiragana, then the stem."""

_RESTRICTIONS = Members.of_pairs(
    "だけ のみ 以外 除く 除き 除い 除外 必ず べき 必须 必須 须要 須要 禁止 严禁 嚴禁 只有 只能 "
    "只会 只會 只限 仅限 僅限 仅有 僅有 除非 除了 唯一 务必 務必 不得 限定"
)
_RESTRICTING = CharSet("だの以除必べ须須禁严嚴只仅僅唯务務不限")


def han_negations(words: Words) -> Bools:
    """Words that overlap a negation, what it governs, or a restriction."""
    text = WideText(words.codes)
    starts, ends = zip(_prefixes(text), _endings(text), _restrictions(text), strict=True)
    return covering(words, np.concatenate(starts), np.concatenate(ends))


def _walked(at: Positions, reach: int, direction: int, is_way: Callable[[Positions], Bools]) -> Positions:
    """Positions moved over at most `reach` characters that are on the way."""
    at = at.astype(np.intp)
    is_open = np.ones(len(at), np.bool_)
    for _ in range(reach):
        is_open &= is_way(at)
        at += direction * is_open
    return at


def _prefixes(text: WideText) -> tuple[Positions, Positions]:
    """不, 没, 未 … through auxiliaries to the two characters they govern."""
    at = np.union1d(text.where(_DENYING), text.where(_DONT))
    before, here, after = text.at(at - 1), text.at(at), text.at(at + 1)
    is_dont = ~_DONT.has(here) | ~_HAN.has(text.at(at - 1)) | _BEFORE_DONT.has(before)
    is_word = _AND_NEXT.has(pair(here, after)) | _AND_LAST.has(pair(before, here))
    is_word &= ~((after == ord("同")) & (text.at(at + 2) == ord("意")))  # 不同 (different), but 不-同意
    is_question = (before == after) & _HAN.has(text.at(at + 1))  # 是不是, 能不能
    at = at[is_dont & ~is_word & ~is_question]
    ends = _walked(at + 1, _AUXILIARY_REACH, 1, lambda place: _AUXILIARIES.has(text.at(place)))
    ends = _walked(ends, _HAN_GOVERNED, 1, lambda place: _HAN.has(text.at(place)))
    starts = at - (_COMPLEMENTS.has(text.at(at + 1)) & _HAN.has(text.at(at - 1)))
    return starts, ends


def _endings(text: WideText) -> tuple[Positions, Positions]:
    """ない, なかった, なければ, なく, なし, ません, ず, ぬ with the verb or noun before them."""
    na, ma, zu, nu = (text.where(char) for char in _ENDINGS)
    second = text.at(na + 1)
    is_naku = (second == ord("く")) & _NOT_NAKU.has(pair(text.at(na - 2), text.at(na - 1)))
    is_nai = _NAI.has(second) & ~_NOT_NAI.has(pair(text.at(na - 1), text.at(na))) & ~is_naku
    is_nashi = (second == ord("し")) & _STEM.has(text.at(na - 1)) & _AFTER_NASHI.has(text.at(na + 2))
    is_masen = (text.at(ma + 1) == ord("せ")) & (text.at(ma + 2) == ord("ん"))
    is_ma_verb = (text.at(zu - 1) == ord("ま")) & _HAN.has(text.at(zu - 2))  # 進まず, but not まず
    is_zu = (_BEFORE_ZU.has(text.at(zu - 1)) | is_ma_verb) & (
        _AFTER_ZU.has(text.at(zu + 1)) | _STEM.has(text.at(zu + 1))
    )
    is_nu = _BEFORE_NU.has(text.at(nu - 1)) & ~_KANA.has(text.at(nu + 1))
    found = (na[is_nai | is_nashi], ma[is_masen], zu[is_zu], nu[is_nu])
    at = np.concatenate(found)
    lengths = np.repeat((2, 3, 1, 1), [len(some) for some in found])
    starts = _walked(at - 1, _KANA_BACK, -1, lambda place: _KANA.has(text.at(place)))
    starts = _walked(starts, _STEM_BACK, -1, lambda place: _STEM.has(text.at(place))) + 1
    return starts, _walked(at + lengths, _TAIL_REACH, 1, lambda place: _TAIL.has(text.at(place)))


def _restrictions(text: WideText) -> tuple[Positions, Positions]:
    """だけ, 以外, 必须, 只有: kept by themselves; also しか, but not しかし or しかも."""
    at = text.where(_RESTRICTING)
    at = at[_RESTRICTIONS.has(pair(text.at(at), text.at(at + 1)))]
    shika = text.where(_SHI)
    follows = text.at(shika + 2)
    shika = shika[(text.at(shika + 1) == ord("か")) & (follows != ord("し")) & (follows != ord("も"))]
    at = np.concatenate((at, shika))
    return at, at + 2
