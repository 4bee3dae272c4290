"""Makes a scenario's world through the public API: people, who follows whom, photos, posts and stories.

Everything is a function of the scenario, and each step may be repeated: whoever is there already logs in, a post that
is there already is found again; so a broken seeding is mended by seeding once more.
"""
