"""Domains of vendors and public services: what a host in them is called is signal."""

from rca_dist.tickets.redaction.base import words_of

# Everybody's hosts. What they are called is signal ("login.microsoftonline.com cannot be reached").
PUBLIC = words_of(
    "microsoft.com microsoftonline.com office.com office365.com office.net outlook.com live.com windows.com "
    "windowsupdate.com windows.net azure.com azureedge.net msftconnecttest.com msftncsi.com bing.com skype.com lync.com "
    "visualstudio.com msauth.net msftauth.net microsoftazuread-sso.com onedrive.com sharepointonline.com msedge.net "
    "akamaized.net aka.ms github.com githubusercontent.com github.io gitlab.com bitbucket.org google.com googleapis.com "
    "gstatic.com gmail.com youtube.com googleusercontent.com android.com chrome.com apple.com icloud.com mzstatic.com "
    "amazon.com aws.amazon.com cloudflare.com cloudflare.net akamai.net akamaiedge.net fastly.net jsdelivr.net docker.com "
    "docker.io quay.io npmjs.org npmjs.com pypi.org pythonhosted.org python.org nodejs.org maven.org apache.org eclipse.org "
    "mozilla.org mozilla.net ubuntu.com canonical.com debian.org redhat.com fedoraproject.org centos.org suse.com "
    "opensuse.org kernel.org gnu.org oracle.com java.com mysql.com postgresql.org mongodb.com elastic.co grafana.com "
    "kubernetes.io k8s.io helm.sh k8s.gcr.io hashicorp.com terraform.io ansible.com jenkins.io sap.com salesforce.com "
    "force.com servicenow.com service-now.com atlassian.com atlassian.net jira.com zendesk.com freshservice.com "
    "freshworks.com zoom.us webex.com cisco.com meraki.com vmware.com broadcom.com citrix.com fortinet.com "
    "paloaltonetworks.com checkpoint.com zscaler.com zscaler.net zscloud.net okta.com duosecurity.com duo.com adobe.com "
    "adobe.io adobelogin.com dropbox.com box.com slack.com slack-edge.com teamviewer.com anydesk.com logmein.com dell.com "
    "hp.com hpe.com lenovo.com intel.com amd.com nvidia.com samsung.com xerox.com canon.com brother.com epson.com ricoh.com "
    "lexmark.com kyocera.com symantec.com norton.com mcafee.com sophos.com trendmicro.com kaspersky.com crowdstrike.com "
    "sentinelone.net malwarebytes.com digicert.com letsencrypt.org verisign.com globalsign.com entrust.net stackoverflow.com "
    "stackexchange.com serverfault.com superuser.com wikipedia.org w3.org ietf.org iana.org icann.org ntp.org pool.ntp.org "
    "time.nist.gov facebook.com twitter.com linkedin.com whatsapp.com paypal.com stripe.com docusign.com docusign.net "
    "intuit.com workday.com myworkday.com glpi-project.org schema.org openssl.org nginx.org nginx.com php.net "
    "sourceforge.net launchpad.net heroku.com digitalocean.com huggingface.co schemas.microsoft.com docker.internal "
    "google.internal cluster.local opendns.com golang.org go.dev googleblog.com azure.cn rust-lang.org quad9.net "
    "spamhaus.org "
    # public mail providers
    "yahoo.com yahoo.fr yahoo.de yahoo.es yahoo.it yahoo.co.uk yahoo.co.jp ymail.com gmx.net gmx.de gmx.com gmx.at "
    "gmx.ch web.de "
    "t-online.de freenet.de 1und1.de ionos.com ionos.de strato.de posteo.de mailbox.org hotmail.com hotmail.fr hotmail.co.uk "
    "msn.com me.com mac.com aol.com googlemail.com proton.me protonmail.com protonmail.ch tutanota.com zoho.com zoho.eu "
    "fastmail.com mail.com rediffmail.com orange.fr wanadoo.fr free.fr laposte.net sfr.fr bbox.fr libero.it virgilio.it "
    "tiscali.it alice.it tim.it aruba.it terra.com terra.com.br uol.com.br bol.com.br ig.com.br ziggo.nl kpnmail.nl "
    "planet.nl xs4all.nl "
    "telenet.be skynet.be proximus.be bluewin.ch telefonica.net movistar.es qq.com 163.com 126.com sina.com naver.com daum.net "
    "mail.ru yandex.ru yandex.com rambler.ru ukr.net seznam.cz wp.pl onet.pl interia.pl comcast.net verizon.net att.net "
    "sbcglobal.net cox.net charter.net btinternet.com sky.com talktalk.net virginmedia.com bigpond.com ovh.net ovh.com "
    "gandi.net "
    "mailgun.org mailgun.net sendgrid.net sendgrid.com mailchimp.com sparkpostmail.com mandrillapp.com mimecast.com "
    "pphosted.com proofpoint.com barracudanetworks.com messagelabs.com"
)
# A name before these is a customer's: contoso.sharepoint.com.
TENANTS = words_of(
    "sharepoint.com onmicrosoft.com service-now.com atlassian.net zendesk.com freshservice.com okta.com my.salesforce.com "
    "blob.core.windows.net file.core.windows.net database.windows.net vault.azure.net azurewebsites.net cloudapp.azure.com "
    "servicebus.windows.net amazonaws.com myshopify.com zoom.us webex.com slack.com workday.com herokuapp.com azurecr.io "
    "cloudapp.net cloudfront.net crm.dynamics.com dynamics.com powerappsportals.com mail.protection.outlook.com"
)
