"""The stores behind the ports: history of observations, records of everything else."""
