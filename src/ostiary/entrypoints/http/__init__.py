"""What every door shares: the route table, the pipeline, errors, cookies and the published contract.

Routes are data; whatever protects more than one of them is done here, before any handler runs.
"""
