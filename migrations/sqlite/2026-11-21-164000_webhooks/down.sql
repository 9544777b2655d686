DROP TABLE deliveries;
DROP TABLE fan_outs;
DROP TABLE webhooks;
