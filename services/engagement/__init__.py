"""Likes, exactly once per person and post, and comments; counts that are exact."""
