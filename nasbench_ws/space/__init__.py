"""What exists: the children of a space, every way to name one, and the network each of them is, as data.

    from nasbench_ws.space import DEEPER64, Space, get_space
    DEEPER64.architecture("124").hash

cell.py holds spaces and children, names.py reads their texts, registry.py knows spaces by name, isomorphism.py finds
relabellings, exchange.py speaks to optimisers; macro.py, blocks.py and child.py describe networks, operations.py what
is on their edges, torch_modules.py those that are a user's modules.
"""

from nasbench_ws.space.cell import Architecture, ArchitectureLike, Edge, Space
from nasbench_ws.space.exchange import config_space, parameter_names, space_json
from nasbench_ws.space.isomorphism import (
    NO_EDGE,
    isomorphic,
    isomorphism_classes,
    representatives,
    same_network_classes,
)
from nasbench_ws.space.operations import Layer, register_operation
from nasbench_ws.space.registry import DEEPER64, SPACES, TOPOLOGY729, get_space, register_space

__all__ = [
    "DEEPER64", "NO_EDGE", "SPACES", "TOPOLOGY729", "Architecture", "ArchitectureLike", "Edge", "Layer", "Space",
    "config_space", "get_space", "isomorphic", "isomorphism_classes", "parameter_names", "register_operation",
    "register_space", "representatives", "same_network_classes", "space_json",
]  # fmt: skip
