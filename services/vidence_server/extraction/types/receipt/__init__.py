"""Receipts: who sold what to what price, and when."""
