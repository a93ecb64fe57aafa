"""What holds for every test: laws are never judged by the clock, because these machines are shared."""

from hypothesis import settings

settings.register_profile("outgate", deadline=None)
settings.load_profile("outgate")
