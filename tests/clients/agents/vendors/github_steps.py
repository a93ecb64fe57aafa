"""PyGithub: REST, and GraphQL where it uses that itself."""

import github

GITHUB = github.Github(auth=github.Auth.Token("not-a-token"), retry=None, seconds_between_requests=0, seconds_between_writes=0)
SITE = GITHUB.get_repo("acme/site", lazy=True)


def reads():
    return GITHUB.get_repo("acme/site").full_name


def searches():
    return [found.number for found in GITHUB.search_issues("repo:acme/site is:open")]


def changes():
    return SITE.create_issue("A title", body="A body").number


def merges():
    return SITE.get_pull(7).merge(merge_method="squash").merged


def merges_by_graphql():
    return SITE.get_pull(7).enable_automerge("SQUASH")["clientMutationId"]


def puts():
    return SITE.update_file("README.md", "Say more", b"more", "1" * 40, branch="bot")["commit"].sha


def deletes_a_branch():
    return GITHUB.get_repo("acme/site").get_git_ref("heads/bot").delete()


def deletes():
    return SITE.delete()


STEPS = (reads, searches, changes, merges, merges_by_graphql, puts, deletes_a_branch, deletes)
