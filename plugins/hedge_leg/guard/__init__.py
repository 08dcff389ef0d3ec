"""The risk guard of a trading bot: what it sees, what it remembers, what it asks freqtrade to do."""
