"""Net per capital and year, less a penalty on turnover."""

from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss

from carry.losses import loss_terms, net_loss


class CarryNetHyperOptLoss(IHyperOptLoss):
    """Net per capital and year, less a penalty on turnover, negated (carry.losses)."""

    @staticmethod
    def hyperopt_loss_function(*, config: dict[str, Any], **given: Any) -> float:
        """Return the loss of one epoch; smaller is better."""
        span = given["min_date"], given["max_date"]
        return net_loss(given["results"], *span, given["starting_balance"], loss_terms(config))
