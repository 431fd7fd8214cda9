"""Kinds of places that people are told at: commit statuses, mail, Matrix, Telegram, and anybody's own by a webhook."""
