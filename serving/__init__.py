"""Answers over HTTP, remembers cases, and learns from moderators: API, desk, store."""
