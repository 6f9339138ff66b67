"""What all tests share."""

import os

from hypothesis import settings

# In continuous integration the random cases are the same each time, so that a failure repeats;
# elsewhere every run looks at new ones.
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
