"""Google's methods that are worse than their verbs say."""

from __future__ import annotations

from miners.curated import curated

marks = curated(
    {
        "s": """
            secretmanager.*.versions.access iamcredentials.*.generate* iamcredentials.*.sign* cloudkms.*ecrypt
            apikeys.*.getKeyString drive.files.export drive.files.download vault.matters.exports.*
            gmail.users.messages.attachments.get directory.users.list people.people.connections.list
            sqladmin.instances.export dataportability.*.initiate sts.*token oauth2.tokeninfo
            cloudshell.*.generateAccessToken directory.verificationCodes.list redis.*.getAuthString
            compute.instances.getScreenshot compute.instances.getSerialPortOutput compute.instances.getGuestAttributes
            identitytoolkit.*.downloadAccount identitytoolkit.*.batchGet storage.projects.hmacKeys.create
            cloudasset.*.exportAssets container.*.fetchClusterUpgradeInfo sqladmin.connect.generateEphemeralCert
            drive.files.generateCseToken monitoring.*.getVerificationCode alloydb.*.generateClientCertificate""",
        "m": """
            androidpublisher.orders.refund androidpublisher.purchases.*.refund androidpublisher.purchases.*.revoke
            content.orders.*refund* content.orders.cancel* domains.*.registrations.register
            domains.*.registrations.transfer cloudbilling.*.updateBillingInfo cloudcommerceprocurement.*.approve
            reseller.subscriptions.insert reseller.subscriptions.changeSeats reseller.subscriptions.changePlan
            compute.regionCommitments.insert bigqueryreservation.*.capacityCommitments.create""",
        "i": """
            cloudkms.*.destroy secretmanager.*.destroy secretmanager.*.secrets.delete cloudresourcemanager.projects.delete
            cloudresourcemanager.folders.delete storage.buckets.delete storage.objects.delete sqladmin.instances.delete
            sqladmin.databases.delete sqladmin.backupRuns.delete bigquery.datasets.delete bigquery.tables.delete
            spanner.*.dropDatabase spanner.*.instances.delete spanner.*.backups.delete bigtableadmin.*.tables.delete
            bigtableadmin.*.instances.delete bigtableadmin.*.clusters.delete bigtableadmin.*.backups.delete
            bigtableadmin.*.dropRowRange gmail.users.messages.delete gmail.users.messages.batchDelete
            gmail.users.threads.delete drive.files.delete drive.files.emptyTrash drive.drives.delete
            compute.instances.delete compute.disks.delete compute.regionDisks.delete compute.snapshots.delete
            compute.images.delete container.*clusters.delete firestore.*databases.delete directory.users.delete
            dns.managedZones.delete redis.*instances.delete alloydb.*clusters.delete file.*instances.delete
            calendar.calendars.clear calendar.calendars.delete iam.*serviceAccounts.delete analyticsadmin.accounts.delete
            analyticsadmin.properties.delete firebasedatabase.*instances.delete vault.matters.delete""",
        "u": """
            serviceusage.*.disable servicemanagement.*.disable logging.*sinks.delete logging.*buckets.delete
            logging.*logs.delete logging.*exclusions.create iam.*.disable directory.users.signOut
            directory.mobiledevices.action directory.chromeosdevices.action compute.instances.stop
            compute.instances.suspend monitoring.*alertPolicies.delete""",
        "p": """
            *.setIamPolicy drive.permissions.create drive.permissions.insert drive.permissions.update
            drive.permissions.patch storage.*AccessControls.insert storage.*AccessControls.update
            storage.*AccessControls.patch calendar.acl.insert calendar.acl.update calendar.acl.patch
            directory.users.makeAdmin directory.members.insert directory.roleAssignments.insert
            iam.*serviceAccounts.keys.create iam.*serviceAccounts.keys.upload bigquery.rowAccessPolicies.*
            sqladmin.users.insert sqladmin.users.update compute.firewalls.insert compute.firewalls.update
            compute.firewalls.patch gmail.users.settings.delegates.create gmail.users.settings.forwardingAddresses.create
            gmail.users.settings.updateAutoForwarding compute.projects.setCommonInstanceMetadata""",
        "e": """
            generativelanguage.*enerateContent aiplatform.*enerateContent storagetransfer.transferJobs.create""",
        "b": "*.batchDelete* *.bulkDelete* *.purge* *.truncate* *.emptyTrash *.dropRowRange",
    }
)
