"""Sentences of a trial by a fresh user: what must go (GONE) and what looks alike and must stay (KEPT)."""

# (kind, text, the string that must be gone)
GONE = [
    # mentions
    ("USER", "[~jroe] please look", "jroe"),
    ("USER", "[~accountid:5b10ac8d82e05b22cc7d4ef5] please look", "5b10ac8d82e05b22cc7d4ef5"),
    ("USER", "asked @jane.roe for the log", "jane.roe"),
    ("PERSON", "@Bob Miller can you restart it?", "Bob Miller"),
    ("USER", "cc @jroe42", "jroe42"),
    # secrets in technical forms
    ("SECRET", "<username>pgarcia</username><password>toledo77</password>", "toledo77"),
    ("USER", "<username>pgarcia</username><password>toledo77</password>", "pgarcia"),
    ("SECRET", "<Password>sunshine</Password>", "sunshine"),
    ("SECRET", "<wsse:Password Type='x'>sunshine</wsse:Password>", "sunshine"),
    ("SECRET", "$p = ConvertTo-SecureString 'Ch4ngeMe!' -AsPlainText -Force", "Ch4ngeMe"),
    ("SECRET", 'ConvertTo-SecureString -String "geheimwort" -AsPlainText', "geheimwort"),
    (
        "SECRET",
        "Set-ADAccountPassword -Identity jbloggs -NewPassword (ConvertTo-SecureString -AsPlainText 'Pa55word!' -Force)",
        "Pa55word",
    ),
    ("USER", "Set-ADAccountPassword -Identity jbloggs -Reset", "jbloggs"),
    ("USER", "Unlock-ADAccount asmith", "asmith"),
    ("USER", "Get-ADUser -Identity 'kmeyer' -Properties *", "kmeyer"),
    ("SECRET", "net user jdoe Winter2024! /add", "Winter2024"),
    ("USER", "net user jdoe Winter2024! /add", "jdoe"),
    ("SECRET", "login jdoe / Passw0rd123 works", "Passw0rd123"),
    ("USER", "login jdoe / Passw0rd123 works", "jdoe"),
    ("SECRET", "creds: jdoe:Passw0rd123", "Passw0rd123"),
    ("SECRET", "log on with admin/Adm1n!2024", "Adm1n!2024"),
    ("SECRET", "credentials are jdoe / Summer27!", "Summer27"),
    ("USER", "credentials are jdoe / Summer27!", "jdoe"),
    ("SECRET", "identifiants : jdupont / Printemps27!", "Printemps27"),
    ("SECRET", "Zugangsdaten: mueller / Herbst27!", "Herbst27"),
    ("SECRET", "p/w Summer26!", "Summer26"),
    ("SECRET", "mot de passe remis à Printemps26!", "Printemps26"),
    ("SECRET", "Passwort lautet jetzt Winter2024!", "Winter2024"),
    ("SECRET", "Password (temp) Winter2024!", "Winter2024"),
    ("SECRET", "new password\nWinter2024!", "Winter2024"),
    ("SECRET", "code wifi Bienvenue2024", "Bienvenue2024"),
    ("SECRET", "A senha dele e Futebol10!", "Futebol10"),
    ("SECRET", "The wifi passphrase is correct horse battery staple", "correct horse battery"),
    ("SECRET", "пароль: Zima2024!", "Zima2024"),
    ("SECRET", "новый пароль Зима2024!", "Зима2024"),
    ("USER", "логин ivanov_a", "ivanov_a"),
    ("SECRET", "パスワード：Sakura#88", "Sakura#88"),
    ("SECRET", "パスワードはSakura#88です", "Sakura#88"),
    ("SECRET", "hasło: Lato2024!", "Lato2024"),
    ("SECRET", "heslo: Leto2024!", "Leto2024"),
    ("SECRET", "密码：Chunjie2024", "Chunjie2024"),
    ("SECRET", "密码是 Chunjie2024", "Chunjie2024"),
    ("SECRET", "비밀번호: Bom2024!", "Bom2024"),
    ("SECRET", "yeni şifre: Yaz2024!", "Yaz2024"),
    ("SECRET", "parola: Yaz2024!", "Yaz2024"),
    ("SECRET", "lösenordet är Sommar2024", "Sommar2024"),
    ("SECRET", "adgangskode: Sommer2024", "Sommer2024"),
    ("SECRET", "passord: Sommer2024", "Sommer2024"),
    ("SECRET", "jelszó: Nyar2024!", "Nyar2024"),
    ("SECRET", "salasana: Kesa2024", "Kesa2024"),
    ("SECRET", "κωδικός πρόσβασης: Kalokairi24", "Kalokairi24"),
    # numbers, logins, names, hosts, phones
    ("NATIONAL_ID", "Numero de securite sociale 1 85 03 75 116 012 34 transmis", "116 012"),
    ("NATIONAL_ID", "n° SS 185 0375 116 012 34", "116 012"),
    ("NATIONAL_ID", "n° SS : 1850375116012", "1850375116012"),
    ("NATIONAL_ID", "SIN 046 454 286", "046 454 286"),
    ("USER", "User: Jane Roe (jroe) locked", "jroe"),
    ("USER", "Assigned to bmiller", "bmiller"),
    ("USER", "Accounts jdoe and asmith unlocked", "asmith"),
    ("USER", "Accounts jdoe and asmith unlocked", "jdoe"),
    ("USER", "Users: jdoe, asmith and bwong", "bwong"),
    ("USER", "Users: jdoe, asmith and bwong", "asmith"),
    ("USER", "Reset AD account for asmith", "asmith"),
    ("USER", "Compte AD de jdupont", "jdupont"),
    ("USER", "Zugang für mmueller", "mmueller"),
    ("PERSON", "Affected user = Nguyễn Văn An", "Văn An"),
    ("PERSON", "user: Łukasz Żółć", "Żółć"),
    ("PERSON", "Пользователь: Иван Петров", "Иван Петров"),
    ("PERSON", "Reported by: o'connor, siobhan", "siobhan"),
    ("PERSON", "Vorgesetzter: Hans Müller", "Hans Müller"),
    ("PERSON", "User Sarah Connor confirmed", "Sarah Connor"),
    ("PERSON", "03/04/2024 10:12 Sarah Connor: rebooted", "Sarah Connor"),
    ("PERSON", "Sarah Connor wrote: it works", "Sarah Connor"),
    ("PERSON", "- Sarah Connor, Tier 2", "Sarah Connor"),
    ("PERSON", "Demandeur : DUPONT Jean\nDUPONT confirme que tout marche", "DUPONT"),
    ("HOST", "ssh root@srv042", "srv042"),
    ("HOST", "host web12a", "web12a"),
    ("HOST", "restart vm-test-22", "vm-test-22"),
    ("HOST", "sql-prod-3 is down", "sql-prod-3"),
    ("HOST", "LAPTOP-JROE is slow", "JROE"),
    ("HOST", "JROE-PC is slow", "JROE"),
    ("HOST", "MBP-von-Jane", "Jane"),
    ("HOST", "Janes-iPhone", "Janes"),
    ("HOST", "file://srv/share", "srv"),
    ("PHONE", "call 555 123 4567", "123 4567"),
    ("PHONE", "reach her: 555 123 4567, evenings", "123 4567"),
    ("PHONE", "mobile 98765 43210", "98765"),
    ("PHONE", "Tel. (0)89-123456", "123456"),
    ("PHONE", "Büro (0)89-123456", "123456"),
    ("PERSON", "担当者：田中太郎", "田中太郎"),
    ("PHONE", "Durchwahl -4521", "4521"),
    ("PHONE", "ext. x4821", "4821"),
]

# What looks like one of the above and is signal.
KEPT = """\
The @Override and @Component annotations are missing, @Bean too.
@media print hides the @decorator of @angular/core and @types/node.
Use git@github and npm i @scope/pkg@1.2.3, then @echo off.
SELECT @@version, @variable FROM t; set @total = 5
[~] and [~/.bashrc] are odd.
<password></password> is empty and <password>%PW%</password> a variable.
password=${DB_PASS} and password=$env:PW and PWD=%PW% and password: {{ pw }}
password = $(cat secret.txt), password=<PASSWORD>, password: ****
pwd=$PW and --password "$MYSQL_PASSWORD" and -p${PASS}
Set-ADUser and Get-ADUser -Filter * were used, Unlock-ADAccount fails.
net user /domain lists all, net use Z: fails.
client/server, TCP/IP, input/output and 10/100/1000 links; n/a or I/O.
login / logout loops; credentials / token prompt; user / group sync.
code wifi incorrect, code erreur 404
пароль истёк, логин не работает
パスワードを忘れた
密码错误
hasło wygasło, heslo vypršelo, şifre hatalı, lösenordet fungerar inte
REGSVR32 and regsvr32 /s msxml6.dll ran; rundll32, odbcad32, mmsys32, wow64 too.
cleanmgr, SysWOW64, system32, Win32, w32tm, comctl32, PSEXESVC, SVCHOST, srv2.sys, csrss.
user: NT AUTHORITY\\SYSTEM
user: NT SERVICE\\MSSQLSERVER and IIS APPPOOL\\DefaultAppPool
C:\\Users\\Default, C:\\Users\\All Users, C:\\Users\\%USERNAME% and C:\\Users\\Public
C:\\Users\\$env:USERNAME\\x and /home/$USER/x and C:\\Users\\<user>\\x
Firmware upgraded from 9.1.2.3 to 9.1.2.4
the 5.5.5.5 release and version 1.2.3.4 or 1.2.3.5
mail.yahoo.com, imap.gmx.net, smtp.web.de, mail.ru and imap.orange.fr work
0612345678 rows processed
0123456789 bytes, 0712345678 records
Reported by: Nagios Core
Author: Visual Studio
Caller: Voicemail
Reported by: Zabbix Server
Created by: Power Automate
SRV-RECORD missing, SRV-Record and SRV-LOOKUP
Assigned to network, assigned to second level
Accounts and groups, accounts locked and unlocked
Reset AD account for contractors
Zugang für externe, Compte AD de service
User Interface frozen, User Account Control blocks it, User Profile Service fails
User Acceptance Test passed
10:12 Error Code: 5
Windows Update wrote: 5 files
- Network Team, Tier 2
IT-PC image, all-PC rollout, SQL-Server, Mini-PC, Tablet-PC, Win-PC, LAPTOP-MODE and Desktop-App
ext. storage, ext 4 is full, ext4, extension 2
Durchwahl geht nicht
vm-tools 12, sql-92, app-v2 and test-2024
担当者：情報システム部
555 123 4567 rows, 1 555 123 456 bytes
mobile 2 of 5, 12345 67890 rows
SIN(x) of 3
n° SS7 and SS 316 steel
login: admin / password wrong
South America (southamerica-east1) and Exchange Online (eop2) recovered.
- Paper Jam, tray 2
- Blue Screen
User Interface, User Account Control and User Profile Service (profsvc) fail
The password policy of Exchange2019, password for KB5034441, password hash SHA-256
Ask @here and @all, see @startuml, @param2 and @Test public void
""".splitlines()
