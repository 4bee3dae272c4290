"""Creates a scenario's data through the public API: people, follows, photos, posts and stories.

All data is a function of the scenario, and each step may be repeated: a person who exists logs in, a post that exists
is reused; so an interrupted seeding is completed by a second one.
"""
