"""Walk-forward analysis: parameters are chosen on one stretch of time and judged on the next."""
