-- One org's analysts: `activity migrate --roles --analysts-of ORG`.
CREATE ROLE IF NOT EXISTS {analysts_of_org};
GRANT activity_analyst TO {analysts_of_org};
CREATE ROW POLICY IF NOT EXISTS {analysts_of_org} ON {database}.events FOR SELECT USING org_id = {org} TO {analysts_of_org};
