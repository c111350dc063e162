"""Tests, in folders that mirror src/auricle; helpers/ serves several of them."""
