"""Built-in portfolios: signals to market orders, with three ways to size a position."""

from ingenium.portfolios.fixed_fraction import FixedFraction
from ingenium.portfolios.fixed_quantity import FixedQuantity
from ingenium.portfolios.target import TargetPortfolio
from ingenium.portfolios.target_weight import TargetWeight

__all__ = ["FixedFraction", "FixedQuantity", "TargetPortfolio", "TargetWeight"]
