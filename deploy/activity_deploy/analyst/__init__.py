"""Answers and pictures for people: `activity sql`, `activity report`."""
