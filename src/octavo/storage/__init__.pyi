from .address import Address as Address, is_address as is_address
from .database import MATURITY as MATURITY
from .files import export_history as export_history, import_history as import_history
from .inbox import Command as Command, Inbox as Inbox, send as send
from .opening import create_store as create_store, has_study as has_study, open_store as open_store
from .records import Intervention as Intervention, Lease as Lease, Seen as Seen
from .store import Store as Store
