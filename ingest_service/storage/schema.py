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

TAG_PLACE: Final = "place"
"""Key of the asset's place when the observation was written; absent where it is unknown."""

TAG_KIND: Final = "kind"
"""What `asset` is: "tank", "filter", "line", "gateway", "node"; absent where it is unknown."""

FIELD_VALUE: Final = "value"
"""Float in the quantity's unit; absent where measuring was tried and failed, and to be ignored where `qc` says so."""

FIELD_QC: Final = "qc"
"""Integer `Qc` code, present with every observation. A query by hand asks for `qc = 1` (good) or `qc < 9`."""

QC_ODD: Final = 90
"""Added to the code of an observation that has no value though its code is not 9, or a value though it is.

Stores that join the fields of a point when it is written again keep an old value under a new "tried and failed": so
the code alone must tell whether there is a value.
"""
