from wrenml.pickling.batch import PackedItems as PackedItems
from wrenml.pickling.format import Buffer as Buffer
from wrenml.pickling.packer import Packer as Packer
from wrenml.pickling.results import dumps_result as dumps_result
from wrenml.pickling.unpacker import Unpacker as Unpacker

__all__ = ["Buffer", "PackedItems", "Packer", "Unpacker", "dumps_result"]
