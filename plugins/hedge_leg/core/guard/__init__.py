"""The risk guard's decisions, pure: limits judge what is seen, breakers remember what was judged."""
