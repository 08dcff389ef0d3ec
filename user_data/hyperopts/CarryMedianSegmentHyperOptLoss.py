"""Net per capital and year of the median of consecutive segments."""

from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss

from carry.losses import loss_terms, median_segment_loss


class CarryMedianSegmentHyperOptLoss(IHyperOptLoss):
    """Net per capital and year of the median of consecutive segments, negated (carry.losses)."""

    @staticmethod
    def hyperopt_loss_function(*, config: dict[str, Any], **given: Any) -> float:
        """Return the loss of one epoch; smaller is better."""
        span = given["min_date"], given["max_date"]
        return median_segment_loss(given["results"], *span, given["starting_balance"], loss_terms(config))
