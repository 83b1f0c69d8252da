"""Who may log in to a demo; such logins are made in demo mode only."""

from dataclasses import dataclass

from compliance.roles import Role

DEMO_PASSWORD = "chainpay-demo"


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """A login and its role."""

    username: str
    role: Role


DEMO_LOGINS = (
    DemoLogin("officer1", Role.COMPLIANCE_OFFICER),
    DemoLogin("officer2", Role.COMPLIANCE_OFFICER),
    DemoLogin("manager1", Role.COMPLIANCE_MANAGER),
    DemoLogin("finance1", Role.FINANCE),
    DemoLogin("ops1", Role.OPERATIONS),
    DemoLogin("auditor1", Role.AUDITOR),
)
