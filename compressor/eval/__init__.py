"""Measures what a compression keeps, without a hosted model: answers, numbers, names, negations, labels.

documents → scores (once a text) → every rate, every control at the same number of tokens → tallies →
cells with intervals → a table, a JSON file, a page, curves
"""
