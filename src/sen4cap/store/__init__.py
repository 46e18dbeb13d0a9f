"""What the system knows, in SQL. SQLAlchemy lives here and nowhere else.

Every call is one transaction. Values of the domain go in and come out.
"""

from sen4cap.store.sqlstore import SqlStore, open_store
from sen4cap.store.values import Identities, ParcelVersion

__all__ = ["Identities", "ParcelVersion", "SqlStore", "open_store"]
