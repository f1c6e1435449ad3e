"""Numbers in Han characters, found by character: the rules hold however words are cut."""

from __future__ import annotations

import numpy as np

from compressor.spans import CharSet, Members, Positions, WideText, covering, pair
from compressor.types import Bools, Words
from compressor.words import Flag

_NUMERAL_CHARS = "〇零一二三四五六七八九十百千万萬亿億兆两兩壹贰叁肆伍陆柒捌玖拾佰仟廿卅半"
_UNIT_CHARS = (
    "月日年号號时時点點分秒元円圆圓角岁歳歲个個名人位章节節条條款项項页頁回次件本枚台臺只隻匹头頭杯瓶层層階楼樓周週世纪紀代度"
    "级級届屆期倍成割厘毫米里公斤克吨噸升尺寸亩畝坪钟鐘小天夜间間泊美欧歐韩韓英镑鎊以上下内內左右余餘超未満满票份组組套户戶家篇部"
    "卷册冊番目ヶカつ车辆輛艘架座所步歩股种種％%"
)
_NUMERALS, _UNITS = CharSet(_NUMERAL_CHARS), CharSet(_UNIT_CHARS)
_AFTER_DIGIT = CharSet(_NUMERAL_CHARS + _UNIT_CHARS)
_COUNTS_ONE = CharSet("月日年号號秒元円岁歳章节節条條页頁次枚层階楼週周倍成割里公米世级級位名人")
"""What makes a number of a lone 一; 个, 般, 点 and 時 do not: 一个, 一般, 一点, 一時."""
_LEADS = CharSet("第约約")
_DIGIT_LEADS = CharSet("第约約近超逾达達共计計每毎仅僅满滿负負")
_LEAD_PAIRS = Members.of_pairs(
    "至少 最多 最大 最小 最低 最高 超过 超過 少于 大于 小于 不到 低于 高于 平均 "
    "上午 下午 早上 晚上 凌晨 中午 午前 午後 公元 西元 昭和 平成 令和"
)
"""Bounds, halves of the day and eras."""
_REACH = 5
"""Characters of unit a number takes along: 个月以内."""


_NOT_NUMERALS = Members.of_pairs("万一 一一 十分")
_MINUTES = CharSet("钟鐘之間间")
"""After 十分 these show that ten minutes (or a fraction) are meant, not "very"."""


def han_numbers(words: Words) -> Bools:
    """Words with a Han numeral and its unit (三百二十万元, 第三章), and units after digits (3 月, 5万円)."""
    text = WideText(words.codes)
    starts, ends = _numerals(text)
    digit_starts, digit_ends = _after_digits(words, text)
    return covering(words, np.append(starts, digit_starts), np.append(ends, digit_ends))


def _numerals(text: WideText) -> tuple[Positions, Positions]:
    """Runs of Han numerals that are numbers, with label and unit."""
    numerals = text.where(_NUMERALS)
    begins = np.diff(numerals, prepend=-2) != 1
    starts, ends = numerals[begins], numerals[np.append(begins[1:], True)[: len(begins)]] + 1
    after, before, first = text.at(ends), text.at(starts - 1), text.at(starts)
    is_single = ends - starts == 1
    is_unit = np.where(is_single & (first == ord("一")), _COUNTS_ONE.has(after), _UNITS.has(after))
    is_minutes = _MINUTES.has(text.at(ends + 1))
    outer = pair(first, np.where(is_single, after, text.at(ends - 1)))
    is_word = (ends - starts <= 2) & _NOT_NUMERALS.has(outer) & ~is_minutes
    is_number = (~is_single | is_unit | _LEADS.has(before)) & ~is_word
    starts, ends = starts[is_number], ends[is_number]
    has_pair = _LEAD_PAIRS.has(pair(text.at(starts - 2), text.at(starts - 1)))
    lead = np.where(has_pair, 2, _LEADS.has(text.at(starts - 1)))
    return starts - lead, _stretched(text, ends, _UNITS)


def _stretched(text: WideText, ends: Positions, units: CharSet) -> Positions:
    """Ends moved past the characters of a unit."""
    ends = ends.copy()
    is_unit = np.ones(len(ends), np.bool_)
    for _ in range(_REACH):
        is_unit &= units.has(text.at(ends))
        ends += is_unit
    return ends


def _after_digits(words: Words, text: WideText) -> tuple[Positions, Positions]:
    """From the label before each word with a digit to the end of its Han unit, one space allowed between."""
    digits = (words.flags & Flag.HAS_DIGIT).nonzero()[0]
    starts, ends = words.starts[digits].astype(np.intp), words.ends[digits].astype(np.intp)
    spaced = ends + (text.at(ends) == ord(" "))
    stretched = _stretched(text, spaced, _AFTER_DIGIT)
    ends = np.where(stretched > spaced, stretched, ends)
    gap = starts - (text.at(starts - 1) == ord(" "))
    has_pair = _LEAD_PAIRS.has(pair(text.at(gap - 2), text.at(gap - 1)))
    lead = np.where(has_pair, 2, _DIGIT_LEADS.has(text.at(gap - 1)))
    return np.where(lead > 0, gap - lead, starts), ends
