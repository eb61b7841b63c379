"""Names of the history in every store: measurement, tags, fields.

Dashboards and the time-series store use these names; a change here is a migration of history.
"""

from typing import Final

MEASUREMENT: Final = "observation"
"""One measurement for all quantities: a series is told apart by its tags."""

TAG_ASSET: Final = "asset"
"""`SeriesKey.asset`: an asset's key, or "gateway:{id}", "node:{gateway}/{id}"."""

TAG_QUANTITY: Final = "quantity"
"""`SeriesKey.quantity`: a key of the catalogue."""

FIELD_VALUE: Final = "value"
"""Float in the quantity's unit; absent where measuring was tried and failed."""

FIELD_QC: Final = "qc"
"""Integer `Qc` code, present with every observation."""
