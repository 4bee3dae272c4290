"""Creates a scenario's data through the public API: people, follows, photos, posts and stories.

Everything is a function of the scenario, and each step may be repeated: a person who exists logs in, a post that exists
is found again; so an interrupted seeding is completed by seeding once more.
"""
