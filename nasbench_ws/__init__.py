"""nasbench-ws."""
