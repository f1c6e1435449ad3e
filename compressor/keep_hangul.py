"""Korean rules of force-keep, on the syllables of a word: counters, numerals, negations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressor.chars import BASE, hash_word, hash_words
from compressor.spans import CharSet, Positions, first_codes, last_codes, words_at
from compressor.types import Bools, Hashes, Words


def _hashes(words: str) -> Hashes:
    """Hashes of a list separated by spaces."""
    return hash_words(words.split())


_COUNTERS = CharSet(
    "명개번살시분초일월년원조억만천백주달대권장병잔배곳건회차호층평도점위인칸쪽석척채통편톤엔퍼센%"
)
_AFTER_COUNTER = CharSet("\0이가은는을를의에도만로으과와씩째간당정쯤까부마여대짜분차권원말초중경후전")
_LONG_COUNTERS = _hashes(  # the first two syllables: 퍼센(트), 킬로(미터)
    "가지 마리 시간 달러 퍼센 프로 유로 킬로 미터 그램 밀리 리터 이상 이하 미만 초과 이내 정도 가량 사람 "
    "차례 그루 켤레 학년 개월 주년 포인 센티 헥타 바이 토큰 와트 분기 세기 페이 여명 여개 단계"
)
_NATIVE, _NATIVE_COUNTERS = CharSet("한두세네열"), CharSet("명번살개시")
_NOT_NATIVE = _hashes("한번 한시 세시")
_SINO, _SCALE = CharSet("일이삼사오육륙칠팔구십백천만억"), CharSet("십백천만억")
_AFTER_SINO, _AFTER_SCALE = CharSet("원년명개번살여대건달만억조월분시의에\0"), CharSet("원년명개살")
_NOT_SINO = _hashes("이만 일만 천만에 구만")
_LONGEST_NUMERAL = 8

_AFTER_A = CharSet("니닌닙닐님냐녔녜")
_AFTER_MA = CharSet("\0세십시라요")
_AFTER_AN = CharSet("되돼된됩됐될됨해하한했할합써")
_BECOMES = CharSet("되돼된됩됐될됨")
_BEFORE_NO_MOT = CharSet("잘연")
_AN, _MOT = hash_word("안"), hash_word("못")
_ADVERBS = _hashes("안 못")
_DENYING_NOUNS = _hashes("금지 불가 제외 불허 부재 무관")
_RESTRICTING = _hashes("반드 절대 오직 오로 필수 의무 예외 이외 외에")
_BEFORE_YA = CharSet("해여돼어아워와져켜")
"""해야, 하여야, 되어야: the ending of duty."""
_NOT_ONLY = CharSet("지백천십수몇조억랜")
"""Before 만: 하지만 (but), 백만 (a million), 오랜만."""
_NOT_ONLY_WORDS = _hashes("다만 이만 그만 저만 얼마만 불만 비만 낭만 대만 자만 충만 원만")


def _prefix_hashes(words: Words, at: Positions, n: int) -> NDArray[np.uint64]:
    """Hash of the first `n` characters of each word, as `hash_words` has it; Hangul does not fold."""
    total = np.zeros(len(at), np.uint64)
    power = 1
    for i in range(n):
        power = power * BASE % 2**64
        total += first_codes(words, at, i).astype(np.uint64) * np.uint64(power)
    return total


def is_counter(words: Words, at: Positions) -> Bools:
    """Counters, particles attached: 명이, 원을, 시간에; longer words only begin like one."""
    is_short = (words.ends[at] - words.starts[at] <= 3) & _AFTER_COUNTER.has(first_codes(words, at, 1))
    is_long = np.isin(_prefix_hashes(words, at, 2), _LONG_COUNTERS)
    return np.asarray((is_short & _COUNTERS.has(first_codes(words, at))) | is_long)


def is_numeral(words: Words, at: Positions) -> Bools:
    """Numerals with what they count in one word: 세명, 삼백만, 십년."""
    pairs = _prefix_hashes(words, at, 2)
    native = _NATIVE.has(first_codes(words, at)) & _NATIVE_COUNTERS.has(first_codes(words, at, 1))
    native &= ~np.isin(pairs, _NOT_NATIVE)
    sino = np.flatnonzero(_SINO.has(first_codes(words, at)))
    mask = native
    mask[sino] |= _is_sino(words, at[sino]) & ~np.isin(words.hashes[at[sino]], _NOT_SINO)
    return mask


def _is_sino(words: Words, at: Positions) -> Bools:
    """삼백만 원: two numerals or more with a scale among them, then the end or a counter; or 십년, 만원."""
    length = np.zeros(len(at), np.intp)
    in_run = np.ones(len(at), np.bool_)
    has_scale = np.zeros(len(at), np.bool_)
    for i in range(_LONGEST_NUMERAL):
        codes = first_codes(words, at, i)
        in_run &= _SINO.has(codes)
        length += in_run
        has_scale |= in_run & _SCALE.has(codes) & (i > 0)
    position = words.starts[at] + length
    inside = position < words.ends[at]
    after = np.where(inside, words.codes[np.minimum(position, len(words.codes) - 1)], np.uint32(0))
    is_long = (length >= 2) & has_scale & _AFTER_SINO.has(after)
    is_scale = (length == 1) & _SCALE.has(first_codes(words, at)) & _AFTER_SCALE.has(after)
    return np.asarray(is_long | (is_scale & (words.ends[at] - words.starts[at] <= 4)))


def negations_after(words: Words, hangul: Positions) -> Positions:
    """Words that deny what stands before them: 않았다, 없이, 못한, 아니다, 말고, 금지."""
    found = [_denying(words), _is_not(words), _prefixed(words, hangul, _DENYING_NOUNS)]
    after_ji = hangul[last_codes(words, np.maximum(hangul - 1, 0)) == ord("지")]
    first, second = first_codes(words, after_ji), first_codes(words, after_ji, 1)
    is_dont = (first == ord("말")) | ((first == ord("마")) & _AFTER_MA.has(second))
    found.append(after_ji[is_dont])
    first, second = first_codes(words, hangul), first_codes(words, hangul, 1)
    found.append(hangul[(first == ord("안")) & _AFTER_AN.has(second)])
    bare = hangul[words.hashes[hangul] == _AN]
    following = np.minimum(bare + 1, len(words) - 1)
    found.append(bare[_BECOMES.has(first_codes(words, following))])  # 하면 안 된다 governs both ways
    return np.unique(np.concatenate(found))


def negations_before(words: Words, hangul: Positions) -> Positions:
    """Adverbs that deny what follows: 안 갔다, 못 갔다."""
    return hangul[np.isin(words.hashes[hangul], _ADVERBS)]


def restrictions(words: Words, hangul: Positions) -> Positions:
    """Words kept by themselves: 만 and 뿐 attached (학생만, 것뿐이다), 반드시, 해야 한다."""
    last, before = last_codes(words, hangul), last_codes(words, hangul, 1)
    only = (last == ord("만")) & (before != 0) & ~_NOT_ONLY.has(before)
    only &= ~np.isin(words.hashes[hangul], _NOT_ONLY_WORDS)
    must = (last == ord("야")) & _BEFORE_YA.has(before)
    duty = hangul[only | must]
    return np.concatenate((duty, _containing(words, "뿐"), _prefixed(words, hangul, _RESTRICTING)))


def _containing(words: Words, char: str) -> Positions:
    return words_at(words, np.flatnonzero(words.codes == ord(char)))


def _prefixed(words: Words, hangul: Positions, prefixes: NDArray[np.uint64]) -> Positions:
    """Words whose first two syllables are one of the prefixes."""
    return hangul[np.isin(_prefix_hashes(words, hangul, 2), prefixes)]


def _denying(words: Words) -> Positions:
    """Words with 않, 없, 못: 않았다, 없이, 못한다; not 잘못 (a fault) nor 연못 (a pond)."""
    mot = np.flatnonzero(words.codes == ord("못"))
    mot = mot[~_BEFORE_NO_MOT.has(words.codes[np.maximum(mot - 1, 0)])]
    bare = words_at(words, mot)
    bare = bare[words.hashes[bare] != _MOT]
    return np.concatenate((_containing(words, "않"), _containing(words, "없"), bare))


def _is_not(words: Words) -> Positions:
    """Forms of 아니다, also attached: 아닌, 아닙니다, 것이아니라."""
    at = np.flatnonzero(words.codes[:-1] == ord("아"))
    return words_at(words, at[_AFTER_A.has(words.codes[at + 1])])
