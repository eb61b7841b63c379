"""The register of places as rows of the record store."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from ingest_service.domain.places import Asset, Contact, Node, Place, Placement, Register, Tank, TankShape
from ingest_service.storage import tables

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load_register(database: Connection) -> Register:
    """The register in force; an empty one of version 0 before the first."""
    placed = select(tables.placements).order_by(tables.placements.c.position)
    return Register(
        version=int(database.scalar(select(func.max(tables.register_versions.c.version))) or 0),
        places={row.key: _place(row._asdict()) for row in database.execute(select(tables.places))},
        assets={row.key: _asset(row._asdict()) for row in database.execute(select(tables.assets))},
        nodes={node.key: node for node in (Node(*row) for row in database.execute(select(tables.nodes)))},
        placements=tuple(_placement(row._asdict()) for row in database.execute(placed)),
    )


def save_register(database: Connection, register: Register) -> int:
    """Put `register` in the place of the one in force; its new version is returned."""
    version = 1 + int(database.scalar(select(func.max(tables.register_versions.c.version))) or 0)
    for table in (tables.placements, tables.nodes, tables.assets, tables.places, tables.register_versions):
        database.execute(delete(table))
    fill = {
        tables.places: [asdict(place) for place in register.places.values()],
        tables.assets: [asdict(asset) for asset in register.assets.values()],
        tables.nodes: [asdict(node) for node in register.nodes.values()],
        tables.placements: [_placement_row(n, placement) for n, placement in enumerate(register.placements)],
        tables.register_versions: [{"version": version}],
    }
    for table, rows in fill.items():
        if rows:
            database.execute(insert(table), rows)
    return version


def _place(row: dict[str, object]) -> Place:
    contacts = row.pop("contacts")
    return Place(**row, contacts=tuple(Contact(**contact) for contact in contacts))  # type: ignore[arg-type,attr-defined]


def _asset(row: dict[str, object]) -> Asset:
    tank = row.pop("tank")
    return Asset(**row, tank=_tank(tank) if tank else None)  # type: ignore[arg-type]


def _tank(fields: dict[str, object]) -> Tank:
    shape = dict(fields.pop("shape"))  # type: ignore[call-overload]
    points = tuple((float(height), float(other)) for height, other in shape["points"])
    return Tank(shape=TankShape(shape["kind"], shape["dimensions"], points), **fields)  # type: ignore[arg-type]


def _placement(row: dict[str, object]) -> Placement:
    row.pop("position")
    from_ms, to_ms = row.pop("from_ms"), row.pop("to_ms")
    return Placement(**row, from_at=_at(from_ms), to_at=None if to_ms is None else _at(to_ms))  # type: ignore[arg-type]


def _placement_row(position: int, placement: Placement) -> dict[str, object]:
    row = asdict(placement) | {"position": position, "from_ms": _ms(placement.from_at)}
    row["to_ms"] = None if placement.to_at is None else _ms(placement.to_at)
    del row["from_at"], row["to_at"]
    return row


def _at(at_ms: object) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(str(at_ms)))


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
