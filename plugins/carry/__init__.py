"""Pure research for hedged funding carry: features, rules, costs, statistics, report."""
