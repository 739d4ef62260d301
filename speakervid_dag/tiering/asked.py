"""Profiles that a user names: packaged ones, files of one's own, and names whose decisions are stored.

Belongs here: telling them apart in a session. Does not belong here: reading profiles (config/profiles.py).
"""

from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries.published import has_profile
from speakervid_dag.lake.queries.session import Session


def asked_profile(con: Session, asked: str) -> Profile | str:
    """Return the profile with this name or path; its name alone if only its stored decisions are known.

    Raises:
        UserError: there is no such profile, or its file is invalid, and the session has no decisions of that name.
    """
    try:
        return load_profile(asked)
    except UserError:
        if has_profile(con, asked):
            return asked
        raise


def name_of(profile: Profile | str) -> str:
    """Return the name under which its decisions are stored."""
    return profile if isinstance(profile, str) else profile.name
