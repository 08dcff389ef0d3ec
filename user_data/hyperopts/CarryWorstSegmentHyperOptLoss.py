"""Net per capital and year of the worst of consecutive segments."""

from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss

from carry.losses import loss_terms, worst_segment_loss


class CarryWorstSegmentHyperOptLoss(IHyperOptLoss):
    """Net per capital and year of the worst of consecutive segments, negated (carry.losses)."""

    @staticmethod
    def hyperopt_loss_function(*, config: dict[str, Any], **given: Any) -> float:
        """Return the loss of one epoch; smaller is better."""
        span = given["min_date"], given["max_date"]
        return worst_segment_loss(given["results"], *span, given["starting_balance"], loss_terms(config))
