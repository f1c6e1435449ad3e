"""Korean rules of force-keep, on the syllables of a word: counters, numerals, negations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compressor.chars import hash_word, hash_words
from compressor.spans import CharSet, Members, Positions, first_codes, last_codes, pair, words_at
from compressor.types import Bools, Codes, Hashes, Ints, Words
from compressor.words import Flag


def _hashes(words: str) -> Members:
    """Hashes of a list separated by spaces."""
    return Members(hash_words(words.split()))


@dataclass(frozen=True, slots=True, eq=False)
class Hangul:
    """The words of a text that hold Hangul, and their syllables: first and second, last and last but one."""

    words: Words
    at: Positions
    lengths: Ints
    first: Codes
    second: Codes
    """U+0000 where there is none."""
    pairs: Hashes
    """`pair` of the first two."""
    last: Codes
    last_but_one: Codes
    hashes: Hashes

    @classmethod
    def of(cls, words: Words) -> Hangul:
        """The Hangul of a text."""
        at = (words.flags & Flag.HANGUL).nonzero()[0]
        first, second = words.first_codes[at], first_codes(words, at, 1)
        last, last_but_one = last_codes(words, at), last_codes(words, at, 1)
        return cls(
            words,
            at,
            words.lengths[at],
            first,
            second,
            pair(first, second),
            last,
            last_but_one,
            words.hashes[at],
        )


_COUNTERS = CharSet(
    "명개번살시분초일월년원조억만천백주달대권장병잔배곳건회차호층평도점위인칸쪽석척채통편톤엔퍼센%"
)
_AFTER_COUNTER = CharSet("\0이가은는을를의에도만로으과와씩째간당정쯤까부마여대짜분차권원말초중경후전")
_LONG_COUNTERS = Members.of_pairs(  # the first two syllables: 퍼센(트), 킬로(미터)
    "가지 마리 시간 달러 퍼센 프로 유로 킬로 미터 그램 밀리 리터 이상 이하 미만 초과 이내 정도 가량 사람 "
    "차례 그루 켤레 학년 개월 주년 포인 센티 헥타 바이 토큰 와트 분기 세기 페이 여명 여개 단계 "
    "군데 가구 세대 송이 자루 포기 바퀴 그릇 접시 다발 묶음 상자 봉지 조각 방울 마디 식구 나라"
)
_COPULA = CharSet("였입인")
"""After a counter: 개였다, 명입니다, 권인데."""
_COPULA_AFTER_I = CharSet("다었며고라지나")
"""After a counter and 이: 명이다, 명이었다, 권이며."""
_NATIVE, _NATIVE_COUNTERS = CharSet("한두세네열"), CharSet("명번살개시")
_NOT_NATIVE = Members.of_pairs("한번 한시 세시")
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
_DENYING_NOUNS = Members.of_pairs("금지 불가 제외 불허 부재 무관")
_RESTRICTING = Members.of_pairs("반드 절대 오직 오로 필수 의무 예외 이외 외에")
_BEFORE_YA = CharSet("해여돼어아워와져켜")
"""해야, 하여야, 되어야: the ending of duty."""
_NOT_ONLY = CharSet("지백천십수몇조억랜")
"""Before 만: 하지만 (but), 백만 (a million), 오랜만."""
_NOT_ONLY_WORDS = _hashes("다만 이만 그만 저만 얼마만 불만 비만 낭만 대만 자만 충만 원만")


def is_counter(hangul: Hangul) -> Bools:
    """Counters, particles attached: 명이, 원을, 시간에; longer words only begin like one."""
    is_counted = _COUNTERS.has(hangul.first)
    is_short = (hangul.lengths <= 3) & is_counted & _AFTER_COUNTER.has(hangul.second)
    is_i = (hangul.second == ord("이")) & _COPULA_AFTER_I.has(first_codes(hangul.words, hangul.at, 2))
    is_verb = is_counted & (_COPULA.has(hangul.second) | is_i)
    return np.asarray(is_short | is_verb | _LONG_COUNTERS.has(hangul.pairs))


def is_numeral(hangul: Hangul) -> Bools:
    """Numerals with what they count in one word: 세명, 삼백만, 십년."""
    mask = _NATIVE.has(hangul.first) & _NATIVE_COUNTERS.has(hangul.second)
    mask &= ~_NOT_NATIVE.has(hangul.pairs)
    sino = _SINO.has(hangul.first).nonzero()[0]
    if len(sino):
        mask[sino] |= _is_sino(hangul.words, hangul.at[sino]) & ~_NOT_SINO.has(hangul.hashes[sino])
    return mask


def _is_sino(words: Words, at: Positions) -> Bools:
    """삼백만 원: two numerals or more with a scale among them, then the end or a counter; or 십년, 만원."""
    length = np.zeros(len(at), np.intp)
    in_run = np.ones(len(at), np.bool_)
    has_scale = np.zeros(len(at), np.bool_)
    for i in range(_LONGEST_NUMERAL):
        codes = first_codes(words, at, i)
        in_run &= _SINO.has(codes)
        if not in_run.any():
            break
        length += in_run
        has_scale |= in_run & _SCALE.has(codes) & (i > 0)
    position = words.starts[at] + length
    inside = position < words.ends[at]
    after = np.where(inside, words.codes[np.minimum(position, len(words.codes) - 1)], np.uint32(0))
    is_long = (length >= 2) & has_scale & _AFTER_SINO.has(after)
    is_scale = (length == 1) & _SCALE.has(words.first_codes[at]) & _AFTER_SCALE.has(after)
    return np.asarray(is_long | (is_scale & (words.lengths[at] <= 4)))


def negations_after(text: str, hangul: Hangul) -> Positions:
    """Words that deny what stands before them: 않았다, 없이, 못한, 아니다, 말고, 금지."""
    words, at = hangul.words, hangul.at
    found = [*_denying(text, words), at[_DENYING_NOUNS.has(hangul.pairs)]]
    is_dont = (hangul.first == ord("말")) | ((hangul.first == ord("마")) & _AFTER_MA.has(hangul.second))
    dont = at[is_dont]
    found.append(dont[last_codes(words, np.maximum(dont - 1, 0)) == ord("지")])
    is_an = hangul.first == ord("안")
    if is_an.any():
        found.append(at[is_an & _AFTER_AN.has(hangul.second)])
        bare = at[is_an & (hangul.hashes == _AN)]
        following = np.minimum(bare + 1, len(words) - 1)
        found.append(bare[_BECOMES.has(words.first_codes[following])])  # 하면 안 된다 governs both ways
    return np.unique(np.concatenate(found))


def negations_before(hangul: Hangul) -> Positions:
    """Adverbs that deny what follows: 안 갔다, 못 갔다."""
    return hangul.at[_ADVERBS.has(hangul.hashes)]


def restrictions(text: str, hangul: Hangul) -> Positions:
    """Words kept by themselves: 만 and 뿐 attached (학생만, 것뿐이다), 반드시, 해야 한다."""
    last, before = hangul.last, hangul.last_but_one
    only = (last == ord("만")) & (before != 0) & ~_NOT_ONLY.has(before)
    only &= ~_NOT_ONLY_WORDS.has(hangul.hashes)
    must = (last == ord("야")) & _BEFORE_YA.has(before)
    duty = hangul.at[only | must | _RESTRICTING.has(hangul.pairs)]
    return np.concatenate((duty, _containing(text, hangul.words, "뿐")))


def _containing(text: str, words: Words, char: str) -> Positions:
    return words_at(words, _positions(text, words, char))


def _positions(text: str, words: Words, char: str) -> Positions:
    return (words.codes == ord(char)).nonzero()[0] if char in text else np.empty(0, np.intp)


def _denying(text: str, words: Words) -> tuple[Positions, ...]:
    """Words with 않, 없, 못: 않았다, 없이, 못한다, not 잘못 (a fault) nor 연못 (a pond).

    And words with forms of 아니다: 아닌, 아닙니다, 것이아니라.
    """
    mot = _positions(text, words, "못")
    mot = mot[~_BEFORE_NO_MOT.has(words.codes[np.maximum(mot - 1, 0)])]
    bare = words_at(words, mot)
    bare = bare[words.hashes[bare] != _MOT]
    a = _positions(text, words, "아")
    a = a[a < len(words.codes) - 1]
    a = words_at(words, a[_AFTER_A.has(words.codes[a + 1])])
    return bare, a, _containing(text, words, "않"), _containing(text, words, "없")
