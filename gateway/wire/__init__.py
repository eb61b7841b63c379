"""The language between gateway and server: topics and SenML packs, standard library only."""
