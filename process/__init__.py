"""Holds what every process of ours does alike: reads its settings, writes its log, hides secrets, stops when told."""
