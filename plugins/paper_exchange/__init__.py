"""A local exchange that speaks Binance's REST dialect over HTTP, and the sample market it can serve."""
