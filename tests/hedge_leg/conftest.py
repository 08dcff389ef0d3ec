"""The paper exchange for tests of the spot leg's adapters."""

from tests.paper_exchange.conftest import fresh, sample_datadir, sample_store

__all__ = ["fresh", "sample_datadir", "sample_store"]
