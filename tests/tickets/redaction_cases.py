"""Sentences for the redaction tests: what must stay (SIGNAL) and strings to find that the rules were not written from."""

# Technical sentences full of things that look like personal data or secrets, and are signal.
SIGNAL = """\
Error 0x80070005 while installing KB5034441 on Windows 10 22H2.
ORA-01017: invalid username/password; logon denied
ERR-6401 appears after the update to version 16.0.17328.20162.
INC0012345 is a duplicate of INC0012344, see PRB0040012 and CHG0031337.
The job SAP-1234 failed, Jira APP-77 and WEB-123 are linked.
Office-365 and Office 2019 licences were mixed up.
The hash SHA-256 does not match, UTF-8 was expected, AES-128 is refused.
COVID-19 rules apply; ISO-9001 and ISO-27001 audits are due.
TLS-1.2 is required, TLS 1.0 and SSLv3 are switched off.
java.lang.NullPointerException at com.example.service.Worker.run(Worker.java:42)
System.IO.FileNotFoundException: Could not load file or assembly Newtonsoft.Json
Traceback: django.db.utils.OperationalError in site-packages/requests/adapters.py
kernel32.dll and ntdll.dll were loaded, report.docx was not saved.
login.microsoftonline.com cannot be reached, github.com works.
outlook.office365.com answers with HTTP 503 on port 443.
windowsupdate.com and download.windowsupdate.com are blocked by the proxy.
The password is expired and must be changed.
Password reset done, user informed.
Le mot de passe est incorrect, mot de passe oublié.
Das Kennwort ist abgelaufen und wurde zurückgesetzt.
La contraseña es incorrecta y la cuenta está bloqueada.
La password è scaduta. A senha expirou ontem.
Het wachtwoord is verlopen.
User reports that the account is locked.
The user cannot log in since Monday.
Login failed three times, user account disabled.
Compte bloqué après cinq essais, compte verrouillé ce matin.
Benutzer kann sich nicht anmelden, Konto gesperrt.
El usuario no puede entrar, la cuenta está desactivada.
The service account was renewed and the login page works again.
User profile service failed the sign-in, username field is greyed out.
Registry key HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion was set.
NT AUTHORITY\\SYSTEM owns C:\\Windows\\System32\\drivers.
C:\\Program Files\\Common Files\\System is missing.
GUID 550e8400-e29b-41d4-a716-446655440000 was found twice.
MD5 9e107d9d372bb6826bd81d3542a419d6 of the file is right.
2024-03-05T10:20:30Z started, 06/02/2025 05:58 stopped, 12:30:45 again.
The backup ran from 22:00 to 04:30 and copied 1,234,567 files (5 732 943 kB).
Ports 80, 443, 3389 and 8080 are open; 127.0.0.1:5432 listens.
Netmask 255.255.255.0, loopback 127.0.0.1, any 0.0.0.0, ::1.
Firmware version 1.2.3.4 and driver 31.0.15.5222 are current.
Chrome 121.0.6167.85 crashes, Firefox 122.0 does not.
USB-C dock with HDMI-2 and RJ-45, DB-25 cable, VGA-1 port.
Error code 1603, exit code 3010, event ID 4625, stop code 0x0000007B.
PIN entry fails on the reader, smart card pin pad broken.
The token expired after 3600 seconds; tokens: 4096.
API key rotation is due, access token refresh failed.
The secret is missing from the vault, key not found.
Kubernetes pod restarted 12 times, node-exporter is up.
docker-compose 2.24.5 and python 3.11.7 are installed.
std::vector overflow in main.cpp:120, a::b is undefined.
SQL-2019 and SQL Server 2016 SP3 are supported.
Exchange2019 CU14 and Server2022 are fine, Windows11 23H2 too.
Printer HP-M404 prints pale pages, model MFP-479 jams.
Article 12345678 and invoice 2024-000123 were posted twice.
Order number 4500012345 is blocked, material 1000234.
The report of 2024-01-15 shows 12.5 % less than 2023-12-31.
Ticket 0123456789 was merged; case 5551234 closed.
Latency rose from 12 ms to 340 ms between 09:15 and 09:45.
VLAN-120 and VLAN 200 were swapped on the trunk.
Mailbox quota 50 GB, 49.8 GB used, 1 200 000 items.
RAID-5 degraded, disk 3 of 8 failed, LUN 12 offline.
The certificate CN mismatch was fixed, CA root renewed.
Hello Team, please check the VPN.
Hi All, the portal is back.
Bonjour à tous, le portail ne répond plus.
Bonjour Madame, merci de vérifier.
Dear Support, the scanner is offline.
Best regards, IT Service Desk
Cordialement,
L'équipe support
Thanks, the issue is solved.
Thank you, Team
From: Service Desk
To: IT Support
Assigned to: Network Team
Requested by: Human Resources
Contact: Help Desk
Status: Pending Customer
Caused by: Memory Leak
Name: Default Gateway
User: Access Denied
Type: Hardware Failure
Category: Active Directory
Mr. Robot was not involved; Dr Watson wrote a dump.
Please send it to the Sr. Engineer on duty.
The Miss rate of the cache is 40 %.
System.Net.Sockets.SocketException (10060)
org.apache.catalina.core.StandardWrapperValve
module.exports and process.env are undefined in node.js
spring.datasource.url is wrong in application.properties
self.client.get returned None in views.py
ASP.NET and VB.NET apps stopped, socket.io reconnects.
e.g. the fax, i.e. the copier on floor 2.
Wait.Then it worked.No more errors.
Use the path /var/log/syslog and /etc/hosts.
The file C:\\Users\\Public\\Documents\\readme.txt is shared.
/home is full, /usr/local/bin is not in PATH.
ping 8 ms, 0 % loss; MTU 1500, TTL 64.
Room 3.14 on floor 2, desk 4-112, building B-07.
Part number 7K2J9Q-001, serial 5CG1234XYZ.
Meeting on Tuesday 12 March 2024 at 10:00.
Born to fail: the batch dies every night at 02:00.
The social security module of SAP HR is slow.
The passport scanner is broken, driver licence check too.
Card reader error 51, card 4 of 10.
IBAN validation fails in the payment form.
The call was dropped after 20 minutes, call 3 agents.
Phone system upgrade to 12.5.1 finished.
Mobile 2 of 5 devices enrolled.
tel 112 is blocked on purpose.
Host unreachable, server down, machine restarted.
Server: Apache/2.4.57 (Unix)
Server error 500, host key verification failed.
Hostname not resolved, computer name is wrong.
The device is not compliant, asset tag is missing.
Poste de travail lent, serveur indisponible.
PC lent depuis la mise à jour, PC du bureau.
Laptop battery empty, desktop icons vanished.
NAS full, ESX host in maintenance mode.
DC replication fails, FS cluster moved.
The web-based app-v2 and api-v1 are deprecated.
The group policy GPO-Printers-2 is not applied.
Win32 app, x64 driver, IPv6 disabled, 802.11ac radio.
S4HANA 2022 and R3 run in parallel.
RFC-2616 and CVE-2024-21412 are mentioned.
Model gpt-4 and llama-3 answer slowly.
mailto links open the wrong program.
ssh and scp time out, sftp works.
Invoice total 1 234 567,00 EUR, VAT 19 %.
https://learn.microsoft.com/en-us/windows/release-health explains it.
https://support.google.com/chrome?p=help&hl=en was used.
See https://kb.vmware.com/s/article/2012345 for the fix.
The variable %USERPROFILE% and ${HOME} are not set.
Pass 2 of the scan failed, pass rate 80 %.
Bypass the proxy; passthrough is on; compass app.
Key: Value pairs are wrong in config.yaml
Step 1: open the lid. Step 2: remove the paper.
Zone A-12, rack R-07, slot S-03.
LDAP error 49, Kerberos error 0x18, NTLMv2 only.
Backup-Job 2024-01 finished, Full-Backup-Week-12 too.
MAC OS 14.2 and mac mini are supported.
Wi-Fi 6 on 5 GHz, channel 36, -67 dBm.
Contract 12-2024 and project 7-B were renamed.
VPN-809 and VPN error 691 after MFA.
sn 1234-5678-9012, part 1234.5678
Ratio 3:2:1, score 10:12:14, scale 1:25:50.
Windows Hello PIN setup fails with 0x801c044f.
Outlook 2016 asks for credentials again and again.
JDK-17 and JRE-8u391 are installed side by side.
Sales Order SO-100234, delivery DN-998877, batch B-12345.
Mises à jour KB5031358 et KB5032190 installées.
Fehlercode 0x8024402c beim Suchen nach Updates.
Erreur 1326 : le nom d'utilisateur ou le mot de passe est incorrect.
""".splitlines()

# (kind, text, the string that must be gone): written from memory of formats by country and product, after the rules.
UNSEEN = [
    ("EMAIL", "Write to m.o'hara@mail.example.com please", "m.o'hara@mail.example.com"),
    ("EMAIL", "Contact: <mailto:jane_roe-77@sub.example.co.uk>", "jane_roe-77@sub.example.co.uk"),
    ("EMAIL", "UPN JRoe@EXAMPLE.COM is disabled", "JRoe@EXAMPLE.COM"),
    ("EMAIL", "jane.roe (at) example (dot) com", "jane.roe (at) example (dot) com"),
    ("EMAIL", "sent from 用户@example.com", "用户@example.com"),
    ("EMAIL", "user%40example.com in the link", "user%40example.com"),
    ("PHONE", "ruf mich an: +49 (0)30 99001234", "+49 (0)30 99001234"),
    ("PHONE", "Tel. 0171/9900123", "0171/9900123"),
    ("PHONE", "my number is 07700 900123", "07700 900123"),
    ("PHONE", "+44 (0)20 7946 0123 ext. 44", "+44 (0)20 7946 0123"),
    ("PHONE", "please call 1-800-555-0199", "1-800-555-0199"),
    ("PHONE", "(202) 555-0143 or 202.555.0144", "(202) 555-0143"),
    ("PHONE", "joignable au 01\u00a099\u00a000\u00a012\u00a034", "01\u00a099\u00a000\u00a012\u00a034"),
    ("PHONE", "0033 1 99 00 12 34", "0033 1 99 00 12 34"),
    ("PHONE", "llámeme al 612 345 678", "612 345 678"),
    ("PHONE", "telefono 06 9900 1234", "06 9900 1234"),
    ("PHONE", "bel 06-12345678", "06-12345678"),
    ("PHONE", "+351 21 123 4567", "+351 21 123 4567"),
    ("PHONE", "+41 44 668 18 00", "+41 44 668 18 00"),
    ("PHONE", "044 668 18 00", "044 668 18 00"),
    ("PHONE", "Mobile: 555-0142", "555-0142"),
    ("PHONE", "+91 98765 43210", "+91 98765 43210"),
    ("PHONE", "+55 (11) 91234-5678", "+55 (11) 91234-5678"),
    ("IP", "ping 192.0.2.77 fails", "192.0.2.77"),
    ("IP", "http://198.51.100.7:8080/x", "198.51.100.7"),
    ("IP", "[2001:db8:85a3::8a2e:370:7334]:443", "2001:db8:85a3::8a2e:370:7334"),
    ("IP", "fe80::1ff:fe23:4567:890a%eth0", "fe80::1ff:fe23:4567:890a"),
    ("IP", "::ffff:192.0.2.128", "192.0.2.128"),
    ("IP", "C2 server 203[.]0[.]113[.]9", "203[.]0[.]113[.]9"),
    ("MAC", "MAC address 001A2B3C4D5E", "001A2B3C4D5E"),
    ("MAC", "dhcp 00:00:5E:00:53:AF", "00:00:5E:00:53:AF"),
    ("MAC", "arp 0000.5e00.53af", "0000.5e00.53af"),
    ("URL", "postgres://app:S3cret@db.example.com:5432/x", "S3cret"),
    ("URL", "redis://:hunter2@cache:6379", "hunter2"),
    ("SECRET", "https://acct.blob.core.windows.net/c/f?sv=2022&sig=a%2Bb9xQ12345%3D", "a%2Bb9xQ12345%3D"),
    ("SECRET", "https://x.example.com/cb#access_token=ya29abc123&x=1", "ya29abc123"),
    ("SECRET", "the password is hunter2", "hunter2"),
    ("SECRET", "password for the portal was changed to Tr0ub4dor&3", "Tr0ub4dor"),
    ("SECRET", "pass Summer2024", "Summer2024"),
    ("SECRET", "pwd is Welcome1", "Welcome1"),
    ("SECRET", "mot de passe provisoire : Azerty12", "Azerty12"),
    ("SECRET", "das Kennwort lautet Sommer2024!", "Sommer2024"),
    ("SECRET", "la contraseña es Verano2024", "Verano2024"),
    ("SECRET", "la password è Estate2024", "Estate2024"),
    ("SECRET", "a senha é Verao2024", "Verao2024"),
    ("SECRET", "het wachtwoord is Zomer2024", "Zomer2024"),
    ("SECRET", "wifi psk: correcthorse9", "correcthorse9"),
    ("SECRET", "PIN code 4711 does not work", "4711"),
    ("SECRET", "your verification code is 829301", "829301"),
    ("SECRET", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abcDEF123456==;", "abcDEF123456"),
    ("SECRET", "Server=db1;Database=x;User Id=svc;Password=P@ss;", "P@ss"),
    ("SECRET", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    ("SECRET", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@host", "AAAAC3NzaC1l"),
    ("SECRET", "glpat-ABCDEFGHIJKLMNOPQRST", "glpat-ABCDEFGHIJKLMNOPQRST"),
    ("SECRET", "bitlocker 111111-222222-333333-444444-555555-666666-777777-888888", "444444-555555"),
    ("SECRET", "mysql -u root -pS3cretPw db", "S3cretPw"),
    ("SECRET", "curl -u admin:s3cretpw https://x", "s3cretpw"),
    ("SECRET", "Cookie: JSESSIONID=0A1B2C3D4E5F", "0A1B2C3D4E5F"),
    ("USER", "user id: jdoe42", "jdoe42"),
    ("USER", "login = jdoe", "jdoe"),
    ("USER", "username jdoe cannot connect", "jdoe"),
    ("USER", "compte jdupont verrouillé", "jdupont"),
    ("USER", "CONTOSO\\jane.roe", "jane.roe"),
    ("USER", "uid=jroe,ou=people,dc=example,dc=com", "jroe"),
    ("USER", "Benutzername: mmueller", "mmueller"),
    ("USER", "identifiant : p.martin", "p.martin"),
    ("USER", "sAMAccountName: k.vandamme", "k.vandamme"),
    ("USER", "user u123456 is locked", "u123456"),
    ("USER", "runas /user:CORP\\adm-roe cmd", "adm-roe"),
    ("USER", "ssh jroe@srv-app-02", "jroe"),
    ("USER", "CN=Jane Roe,OU=Sales,DC=example,DC=com", "Jane Roe"),
    ("PATH", "C:\\Users\\jane.roe\\AppData", "jane.roe"),
    ("PATH", "\\\\fs01\\home\\jroe\\docs", "jroe"),
    ("PATH", "/Users/jane/Library", "jane"),
    ("PATH", "file:///C:/Users/jroe/x.txt", "jroe"),
    ("HOST", "srv-db-01.corp.example.com is down", "srv-db-01.corp.example.com"),
    ("HOST", "mail.contoso.local", "mail.contoso.local"),
    ("HOST", "reboot SRV-SQL-01 tonight", "SRV-SQL-01"),
    ("HOST", "my machine PC-12345", "PC-12345"),
    ("HOST", "LAPTOP-7K2J9Q and DESKTOP-AB12CD3", "LAPTOP-7K2J9Q"),
    ("HOST", "WIN-3F7Q2K9LMNP rebooted", "WIN-3F7Q2K9LMNP"),
    ("HOST", "NAS01 is full", "NAS01"),
    ("HOST", "\\\\fileserver\\share\\x", "fileserver"),
    ("HOST", "hostname: par-web-12", "par-web-12"),
    ("HOST", "http://intranet/portal", "intranet"),
    ("HOST", "PARSRVAPP03 does not answer", "PARSRVAPP03"),
    ("HOST", "contoso.sharepoint.com is slow", "contoso.sharepoint.com"),
    ("HOST", "VMPRODSQL02 failed over", "VMPRODSQL02"),
    ("HOST", "ip-10-0-3-17.ec2.internal", "ip-10-0-3-17"),
    ("HOST", "FR-LYO-DC02 and DE-BER-PRT-07", "DE-BER-PRT-07"),
    ("IBAN", "GB29 NWBK 6016 1331 9268 19 please", "NWBK"),
    ("IBAN", "ES91 2100 0418 4502 0005 1332 WAS", "2100 0418"),
    ("IBAN", "NL91ABNA0417164300", "NL91ABNA0417164300"),
    ("IBAN", "fr7630006000011234567890189", "fr7630006000011234567890189"),
    ("CARD", "4111-1111-1111-1111", "4111-1111"),
    ("CARD", "5500 0000 0000 0004", "5500 0000"),
    ("CARD", "amex 3782 822463 10005", "822463"),
    ("NATIONAL_ID", "SSN 123-45-6789", "123-45-6789"),
    ("NATIONAL_ID", "NIR 1 85 05 78 006 084 91", "006 084"),
    ("NATIONAL_ID", "NINO AB 12 34 56 C", "12 34 56"),
    ("NATIONAL_ID", "DNI 12345678Z", "12345678Z"),
    ("NATIONAL_ID", "NIE X1234567L", "X1234567L"),
    ("NATIONAL_ID", "RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("NATIONAL_ID", "Steuer-ID: 86095742719", "86095742719"),
    ("NATIONAL_ID", "BSN 111222333", "111222333"),
    ("NATIONAL_ID", "passport number C01X00T47", "C01X00T47"),
    ("NATIONAL_ID", "AHV 756.9217.0769.85", "756.9217.0769.85"),
    ("BIRTHDATE", "born 12/03/1985", "12/03/1985"),
    ("BIRTHDATE", "date of birth: 1985-03-12", "1985-03-12"),
    ("BIRTHDATE", "née le 12 mars 1985", "12 mars 1985"),
    ("BIRTHDATE", "geboren am 12. März 1985", "12. März 1985"),
    ("BIRTHDATE", "DOB 03/12/85", "03/12/85"),
    ("BIRTHDATE", "fecha de nacimiento: 12 de marzo de 1985", "12 de marzo de 1985"),
    ("PERSON", "Mr. John Smith called", "John Smith"),
    ("PERSON", "Mme Dupont ne peut pas imprimer", "Dupont"),
    ("PERSON", "Herr Müller ist im Urlaub", "Müller"),
    ("PERSON", "my name is Jane Roe and", "Jane Roe"),
    ("PERSON", "caller: Jane Roe", "Jane Roe"),
    ("PERSON", "je m'appelle Jean Dupont", "Jean Dupont"),
    ("PERSON", "It fails.\nRegards,\nJane Roe", "Jane Roe"),
    ("PERSON", "Reported by Jane Roe yesterday", "Jane Roe"),
    ("PERSON", "Hi John,\nthe VPN is down", "John"),
    ("PERSON", "2024-03-05 10:20:30 - Jane Roe (Work notes)", "Jane Roe"),
    ("PERSON", "Mit freundlichen Grüßen\nKarla Schmidt", "Karla Schmidt"),
    ("PERSON", "Demandeur : DUPONT Jean", "DUPONT"),
    ("PERSON", "From: Jane Roe <jane.roe@example.com>", "Jane Roe"),
    ("PERSON", "Sra. García llamó ayer", "García"),
    # A second list, written after the first had been used to improve the rules.
    ("EMAIL", "Ping me: jane.roe+vpn@it.example.org!", "jane.roe+vpn@it.example.org"),
    ("EMAIL", "e-mail=JROE@MAIL.EXAMPLE.NET;x", "JROE@MAIL.EXAMPLE.NET"),
    ("EMAIL", "john.smith[at]example.com", "john.smith[at]example.com"),
    ("PHONE", "Cell # 415-555-0132", "415-555-0132"),
    ("PHONE", "contact no: +27 82 555 0123", "82 555 0123"),
    ("PHONE", "fono (02) 9900 1234", "9900 1234"),
    ("PHONE", "+32 470 12 34 56", "470 12 34"),
    ("PHONE", "tél 04.99.00.12.34", "04.99.00.12.34"),
    ("PHONE", "+39 06 9900 1234", "9900 1234"),
    ("PHONE", "+1.202.555.0177", "202.555.0177"),
    ("PHONE", "+86 138 0013 8000", "138 0013"),
    ("PHONE", "Please phone 020 7946 0018 after noon", "7946 0018"),
    ("PHONE", "Mobil: +49-151-99001234", "151-99001234"),
    ("IP", "DNS 203.0.113.53, gateway=192.0.2.254", "203.0.113.53"),
    ("IP", "src=198.51.100.23:51515 dst=192.0.2.1", "198.51.100.23"),
    ("IP", "addr 2001:0db8:0000:0000:0000:ff00:0042:8329", "ff00:0042"),
    ("IP", "10.0.0.12/24 and 172.31.9.8", "172.31.9.8"),
    ("IP", "server 192.168.10.20 is down", "192.168.10.20"),
    ("MAC", "hwaddr 52:54:00:ab:cd:ef", "52:54:00"),
    ("MAC", "Physical Address. . . : 00-1C-42-2B-60-5A", "00-1C-42"),
    ("URL", "ftp://jroe:geheim@ftp.example.com/in", "geheim"),
    ("SECRET", "PW=Xyz12345", "Xyz12345"),
    ("SECRET", "Passwort: Fruehling24!", "Fruehling24"),
    ("SECRET", "mdp temporaire Bienvenue2024", "Bienvenue2024"),
    ("SECRET", "temp password - Welcome123", "Welcome123"),
    ("SECRET", "new pwd: kX9!pq", "kX9!pq"),
    ("SECRET", "I reset his password to Spring2025!", "Spring2025"),
    ("SECRET", '"client_secret": "s8Q~abcdefgh1234"', "abcdefgh1234"),
    ("SECRET", "x-api-key: 9f8a7b6c5d4e3f2a1b0c", "9f8a7b6c5d4e"),
    ("SECRET", "export GITHUB_TOKEN=ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789"),
    ("SECRET", "Authorization: Basic dXNlcjpwYXNzd29yZDEyMw==", "dXNlcjpwYXNz"),
    ("SECRET", "sshpass -p 'T0pS3cret' ssh x", "T0pS3cret"),
    ("SECRET", "Snmp community string: pr1vate99", "pr1vate99"),
    ("SECRET", "activation key VK7JG-NPHTM-C97JM-9MPGT-3V66T", "VK7JG-NPHTM"),
    ("SECRET", "OTP 493021 was rejected", "493021"),
    ("SECRET", "code PIN : 8642", "8642"),
    ("SECRET", "Jelszó? no: contraseña: Clave#123", "Clave#123"),
    ("SECRET", "https://storage.googleapis.com/b/o?X-Goog-Signature=abcdef0123456789abcdef", "abcdef0123456789"),
    ("SECRET", "rsa key -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1r"),
    ("USER", "UserID=AB1234", "AB1234"),
    ("USER", "user name : jane.roe", "jane.roe"),
    ("USER", "logged in as corp\\jroe today", "jroe"),
    ("USER", "AD account jroe7 locked out", "jroe7"),
    ("USER", "Account: EXAMPLE\\svc-sql", "svc-sql"),
    ("USER", "der Benutzer mmueller kann nicht", "mmueller"),
    ("USER", "sudo su - jroe99; login jroe99", "jroe99"),
    ("USER", "matricule 004512", "004512"),
    ("USER", "Nutzerkennung: b123456", "b123456"),
    ("USER", "nome utente: m.rossi", "m.rossi"),
    ("PATH", "/home/jroe/.bashrc", "jroe"),
    ("PATH", "C:/Users/j.roe/OneDrive", "j.roe"),
    ("PATH", "D:\\Profiles\\jroe\\ntuser.dat", "jroe"),
    ("PATH", "c:\\\\Users\\\\jroe\\\\AppData", "jroe"),
    ("HOST", "ERPPRD01.intra.example.net:1521", "ERPPRD01"),
    ("HOST", "connect to sqlprod03.ad.example.com", "sqlprod03"),
    ("HOST", "Server NYC-FS-02 rebooted", "NYC-FS-02"),
    ("HOST", "workstation WKS-004512 offline", "WKS-004512"),
    ("HOST", "on host k8s-worker-07", "k8s-worker-07"),
    ("HOST", "printer PRN-PAR-014 jammed", "PRN-PAR-014"),
    ("HOST", "computer name: JROE-X1", "JROE-X1"),
    ("HOST", "vcenter.internal.example.org", "vcenter.internal.example.org"),
    ("HOST", "ldap://dc02:389", "dc02"),
    ("HOST", "exch-mbx-03 queue", "exch-mbx-03"),
    ("HOST", "\\\\10.0.0.5\\c$ and \\\\APPSRV7\\deploy$", "APPSRV7"),
    ("HOST", "acme.okta.com login loops", "acme.okta.com"),
    ("HOST", "MININT-4F5G6H7 joined", "MININT-4F5G6H7"),
    ("IBAN", "BE68 5390 0754 7034", "5390 0754"),
    ("IBAN", "IT60X0542811101000000123456", "0542811101"),
    ("IBAN", "CH93 0076 2011 6238 5295 7", "0076 2011"),
    ("IBAN", "PT50000201231234567890154", "00020123"),
    ("CARD", "Visa 4012888888881881 declined", "4012888888881881"),
    ("CARD", "mc 5105-1051-0510-5100 exp 12/27", "5105-1051"),
    ("NATIONAL_ID", "Social security number: 219-09-9999", "219-09-9999"),
    ("NATIONAL_ID", "n° sécu 2 55 08 14 168 025 38", "168 025"),
    ("NATIONAL_ID", "National Insurance number QQ 12 34 56 C", "12 34 56"),
    ("NATIONAL_ID", "CPF 529.982.247-25", "529.982.247-25"),
    ("NATIONAL_ID", "NIF: 12345678Z", "12345678Z"),
    ("NATIONAL_ID", "Steueridentifikationsnummer 86 095 742 719", "095 742"),
    ("NATIONAL_ID", "codice fiscale: MRTMTT91D08F205J", "MRTMTT91D08F205J"),
    ("BIRTHDATE", "Geburtsdatum: 12.03.1985", "12.03.1985"),
    ("BIRTHDATE", "data di nascita 12/03/1985", "12/03/1985"),
    ("BIRTHDATE", "DOB: March 12, 1985", "March 12, 1985"),
    ("BIRTHDATE", "né en Bretagne le; née le 1er avril 1990", "1er avril 1990"),
    ("BIRTHDATE", "geboortedatum 12-03-1985", "12-03-1985"),
    ("PERSON", "Ms. Amy O'Neil called", "O'Neil"),
    ("PERSON", "Requested for: Smith, John", "Smith"),
    ("PERSON", "This was escalated by Dr. Patel", "Patel"),
    ("PERSON", "Thanks,\nPriya", "Priya"),
    ("PERSON", "Bonjour Sophie,\nle VPN", "Sophie"),
    ("PERSON", "Frau Dr. Weber meldet", "Weber"),
    ("PERSON", "ich heiße Karl Schmidt", "Karl Schmidt"),
    ("PERSON", "me llamo Ana Pérez", "Ana Pérez"),
    ("PERSON", "Customer name: Robert Brown", "Robert Brown"),
    ("PERSON", "Bien cordialement,\n\nPierre Lefèvre", "Lefèvre"),
    ("PERSON", "Kind Regards,\r\nTom Baker", "Tom Baker"),
    ("PERSON", "Utilisateur : Marie Curie", "Marie Curie"),
]
