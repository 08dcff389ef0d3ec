"""A strategy on 5m that always wants to be open, but not around settlements."""

import pandas as pd

from carry.child_entry import ChildRules
from hedge_leg.child_strategy import ChildStrategy


class DirectedChild(ChildStrategy):
    """Decides yes; nothing is opened 14 minutes before and after a settlement."""

    def decision_rule(self, parent: pd.DataFrame) -> "pd.Series[bool]":
        """Open always."""
        return pd.Series(True, index=parent.index)

    def child_rules(self) -> ChildRules:
        """Stay quiet around settlements."""
        return ChildRules(quiet_minutes=14.0)
