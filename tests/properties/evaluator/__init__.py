"""Tests of the OpenFF Evaluator plugin and of its backends."""
